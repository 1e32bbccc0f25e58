package dixa_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
)

// pageServer serves pages of one conversation each, with next links from link.
func pageServer(t *testing.T, pages int, link func(n int) string) (*dixa.Client, *[]string) {
	t.Helper()
	var asked []string
	baseURL, _ := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.RequestURI)
		n := len(asked)
		meta := ""
		if n < pages {
			meta = `,"meta":{"next":"` + link(n) + `"}`
		}
		_, _ = fmt.Fprintf(w, `{"data":[{"_type":"EmailConversation","id":%d}]%s}`, n, meta)
	})
	return newClient(t, baseURL), &asked
}

func TestPaginationReadsAllPages(t *testing.T) {
	t.Parallel()
	for name, link := range map[string]func(n int) string{
		"relative to the root":   func(n int) string { return fmt.Sprintf("/v1/endusers/x/conversations?pageKey=k%d%%3D%%3D", n) },
		"under another prefix":   func(n int) string { return fmt.Sprintf("/other/endusers/x/conversations/?pageKey=k%d%%3D%%3D", n) },
		"query only":             func(n int) string { return fmt.Sprintf("?pageKey=k%d%%3D%%3D", n) },
		"unescaped equals signs": func(n int) string { return fmt.Sprintf("/v1/x?pageKey=k%d==", n) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, asked := pageServer(t, 3, link)
			var ids []int64
			for c, err := range client.EndUsers.Conversations(t.Context(), userID) {
				require.NoError(t, err)
				ids = append(ids, c.ID)
			}
			require.Equal(t, []int64{1, 2, 3}, ids)
			path := "/v1/endusers/" + userID + "/conversations"
			require.Equal(t, []string{path, path + "?pageKey=k1%3D%3D", path + "?pageKey=k2%3D%3D"}, *asked)
		})
	}
}

func TestPaginationIsLazy(t *testing.T) {
	t.Parallel()
	client, asked := pageServer(t, 3, func(n int) string { return fmt.Sprintf("/v1/x?pageKey=k%d", n) })
	seq := client.EndUsers.Conversations(t.Context(), userID)
	require.Empty(t, *asked, "the client requested a page before iteration")
	for _, err := range seq {
		require.NoError(t, err)
		break
	}
	require.Len(t, *asked, 1)
}

func TestLaterPagesRepeatSearchBody(t *testing.T) {
	t.Parallel()
	var bodies []string
	baseURL, _ := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, r.URL.RawQuery+" "+string(body))
		if len(bodies) == 1 {
			_, _ = io.WriteString(w, `{"data":[{"id":1,"highlights":{}}],"meta":{"next":"/v1/search/conversations/?pageKey=cGFnZT0x%3D%3D:"}}`)
			return
		}
		_, _ = io.WriteString(w, `{"data":[{"id":2,"highlights":{}}]}`)
	})
	hits, err := collect(newClient(t, baseURL).Conversations.Search(t.Context(), dixa.SearchQuery{Text: "x", PageLimit: 1}))
	require.NoError(t, err)
	require.Len(t, hits, 2)
	require.Equal(t, []string{`pageLimit=1 {"query":{"value":"x"}}`, `pageKey=cGFnZT0x%3D%3D%3A {"query":{"value":"x"}}`}, bodies)
}

func TestPaginationStopsAfterError(t *testing.T) {
	t.Parallel()
	foreign, stolen := newServer(t, answer(http.StatusOK, `{"data":[]}`))
	for name, tc := range map[string]struct {
		link  string
		cause error
	}{
		"other host":        {foreign + "x?pageKey=k", dixa.ErrForeignHost},
		"other scheme":      {"https:/v1/x?pageKey=k", dixa.ErrForeignHost},
		"protocol-relative": {"//evil.example/v1/x?pageKey=k", dixa.ErrForeignHost},
		"no key":            {"/v1/x", dixa.ErrMalformedResponse},
		"invalid URL":       {"http://%zz", dixa.ErrMalformedResponse},
		"cycle":             {"/v1/x?pageKey=same", dixa.ErrMalformedResponse},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, asked := pageServer(t, 10, func(int) string { return tc.link })
			var last error
			items := 0
			for c, err := range client.EndUsers.Conversations(t.Context(), userID) {
				require.NoError(t, last, "the sequence continued after an error")
				last = err
				if err == nil {
					require.NotNil(t, c)
					items++
				}
			}
			failure := requireFailure(t, last)
			require.ErrorIs(t, failure, tc.cause)
			require.Equal(t, dixa.Rejected, failure.Outcome)
			require.Len(t, *asked, items)
			require.LessOrEqual(t, len(*asked), 2)
			require.Zero(t, stolen.Load())
		})
	}
}

// TestMissingListIsNotEmptyList guards against reading a broken list as an empty one: a
// caller would then create what already exists.
func TestMissingListIsNotEmptyList(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `{"data":null}`, `[]`, `{"data":{}}`, `{"data":[null]}`, `{"data":[{}]}`, ``} {
		baseURL, _ := newServer(t, answer(http.StatusOK, body))
		client := newClient(t, baseURL)
		_, err := collect(client.EndUsers.List(t.Context(), dixa.EndUserFilter{Email: "a@example.org"}))
		require.ErrorIs(t, err, dixa.ErrMalformedResponse, body)
		_, err = client.Conversations.Messages(t.Context(), 42)
		require.ErrorIs(t, err, dixa.ErrMalformedResponse, body)
	}
}
