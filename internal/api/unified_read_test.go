package api_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/dixa"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/integration/contracttest"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/internal/toowner/files"
	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// shelf is a bench with an account whose organization has conversations, and no mirror.
type shelf struct {
	*bench
	account string
	// host is the address of the emulator.
	host string
}

func newShelf(t *testing.T, conversations int) *shelf {
	t.Helper()
	filled := emulator.New(emulator.Options{Token: token, Limit: emulator.Limit{Reading: emulator.LimitOff}})
	host := httptest.NewServer(contracttest.Handler(t, filled))
	t.Cleanup(func() { host.Close(); filled.Close() })
	require.NoError(t, filled.Fill(t.Context(), emulator.FillOptions{Conversations: conversations, Seed: 1, Until: time.Now(), Span: 20 * 24 * time.Hour}))
	b := newBenchOn(t, "sqlite::memory:", func(o *api.Options) {
		clients := connection.New(o.Store, connection.Options{BaseURL: host.URL + "/v1/", Limits: store.BudgetLimits{Interval: time.Microsecond, MaxWait: time.Second}})
		o.Unified = &unify.Service{Store: o.Store, Clients: clients}
		o.Onboarding = onboarding.New(onboarding.Options{Store: o.Store, Dixa: clients, PublicURL: host.URL, AutoReplyWait: -1})
		var err error
		o.Files, err = files.New(files.Options{Store: o.Store, BaseURL: host.URL + "/files", AllowLoopback: true})
		require.NoError(t, err)
	})
	b.dixa = filled
	b.connected("acme")
	return &shelf{b, b.account("acme"), host.URL}
}

// object reads a JSON object.
func (s *shelf) object(path string) map[string]any {
	s.t.Helper()
	r := s.send("GET", path, s.secret, "")
	require.Equal(s.t, 200, r.StatusCode, "%s: %s", path, r.text)
	require.Equal(s.t, "application/json", r.Header.Get("Content-Type"))
	var o map[string]any
	require.NoError(s.t, json.Unmarshal([]byte(r.text), &o))
	return o
}

// Every method that the registry lists is served as it says: reads answer, and what Dixa
// does not support answers 501 with the reason.
func TestUnifiedMethodsAreServedAsTheRegistrySays(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 20)
	ticket := fmt.Sprint(s.dixa.Truth()[0].ID)
	for _, r := range unified.Resources() {
		path := "/unified/" + r.Model + "/" + r.Name
		for _, m := range r.Methods {
			meta := s.object(in(path+"/meta/"+m.Name, s.account))
			require.Equal(t, m.Name, meta["method"])
			require.Equal(t, string(m.Support), meta["capability"].(map[string]any)["support"]) //nolint:errcheck,forcetypeassert // a failed test
			if m.Support == unified.Unsupported {
				address := path
				if m.Name != unified.MethodCreate {
					address += "/some-id"
				}
				e := s.send(m.Verb(), in(address, s.account), s.secret, "{}").unifiedError(t, http.StatusNotImplemented)
				require.Contains(t, strings.ToLower(e.Message), strings.ToLower(m.Why), "%s %s", m.Name, r.Name)
			}
		}
		query := ""
		if m, _ := r.Method(unified.MethodList); len(m.Filters().Required) > 0 {
			e := s.send("GET", in(path, s.account), s.secret, "").unifiedError(t, http.StatusBadRequest)
			require.NotNil(t, e.Insight.MissingQuery)
			query = "?ticket_id=" + ticket
		}
		list := s.object(in(path+query, s.account))
		require.Contains(t, list, "next_cursor")
		require.Contains(t, list, "prev_cursor")
		require.Equal(t, false, list["is_partial_response"])
		head := s.send("HEAD", in(path+query, s.account), s.secret, "")
		require.Equal(t, []string{"200", ""}, []string{fmt.Sprint(head.StatusCode), head.text})
		all, ok := list["result"].([]any)
		require.True(t, ok)
		require.InDelta(t, len(all), list["result_count"], 0)
		if r.Name == "attachments" && len(all) == 0 {
			continue
		}
		require.NotEmpty(t, all, r.Name)
		first, _ := all[0].(map[string]any)
		id, _ := first["id"].(string)
		if one := s.object(in(path+"/"+url.PathEscape(id)+query, s.account)); r.Name != "contacts" {
			require.Equal(t, first, one, r.Name)
		}
		s.send("GET", in(path+"/no%2Fsuch%20id"+query, s.account), s.secret, "").unifiedError(t, http.StatusNotFound)
	}
	s.send("GET", in("/unified/ticketing/tickets/meta/import", s.account), s.secret, "").unifiedError(t, http.StatusNotFound)
	s.send("GET", in("/unified/ticketing/projects", s.account), s.secret, "").unifiedError(t, http.StatusNotFound)
}

// The requests that Truto's client makes are answered in the shape that it reads. Those
// that filter by what no resource has are refused, with every fault.
func TestUnifiedAnswersTheRequestsOfTrutosClient(t *testing.T) {
	t.Parallel()
	file, err := os.Open("../../../shared/facts/truto-sdk-requests.txt")
	if err != nil {
		t.Skip("the recorded requests are not part of the project")
	}
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	s := newShelf(t, 30)
	ticket := fmt.Sprint(s.dixa.Truth()[0].ID)
	replayed := 0
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		parts := strings.Split(strings.TrimSpace(lines.Text()), " | ")
		if len(parts) < 4 || parts[0] != "GET" || !strings.HasPrefix(strings.TrimLeft(parts[1], "/"), "unified/") {
			continue
		}
		replayed++
		address := strings.ReplaceAll(parts[1], "integrated_account_id=ia", "integrated_account_id="+s.account)
		address = strings.ReplaceAll(address, "next_cursor=C2", "next_cursor="+url.QueryEscape(s.cursor("/unified/ticketing/tickets")))
		switch {
		case strings.Contains(address, "remote_query"):
			var named []string
			e := s.send("GET", address, s.secret, "").unifiedError(t, http.StatusBadRequest)
			if e.Details != nil { // the cursor of the second page is one of another query
				for _, f := range e.Details.Failures {
					named = append(named, f.Field)
				}
				require.ElementsMatch(t, []string{"remote_query[foo]", "is_x"}, named, e)
			}
			rest := strings.NewReplacer("remote_query%5Bfoo%5D=b%20r&", "", "is_x=true&", "", "&tags%5B0%5D=a&tags%5B1%5D=b", "&tags%5B0%5D=claim&tags%5B1%5D=delivery").Replace(address)
			rest, _, _ = strings.Cut(rest, "&next_cursor=")
			list := s.object(rest + "&next_cursor=")
			result, ok := list["result"].([]any)
			require.True(t, ok)
			require.NotEmpty(t, result)
			require.LessOrEqual(t, len(result), 2)
			for _, o := range result {
				require.NotContains(t, o, "id")
				require.NotContains(t, o, "name")
			}
			require.Contains(t, list, "next_cursor")
		case strings.Contains(address, "/tickets/1?"):
			require.Equal(t, ticket, s.object(strings.Replace(address, "/tickets/1?", "/tickets/"+ticket+"?", 1))["id"], "a bare object")
			s.send("GET", address, s.secret, "").unifiedError(t, http.StatusNotFound)
		case strings.Contains(address, "a%2Fb%20c"):
			s.send("GET", address, s.secret, "").unifiedError(t, http.StatusNotFound)
		case strings.Contains(address, "/meta/"):
			require.Equal(t, "list", s.object(address)["method"])
		default:
			list := s.object(address)
			require.NotEmpty(t, list["result"])
			require.Contains(t, list, "next_cursor")
		}
	}
	require.NoError(t, lines.Err())
	require.Greater(t, replayed, 10)
}

// cursor returns the cursor of the second page of a list.
func (s *shelf) cursor(path string) string {
	s.t.Helper()
	next, _ := s.object(in(path+"?limit=2", s.account))["next_cursor"].(string)
	require.NotEmpty(s.t, next)
	return next
}

func TestUnifiedLists(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 30)
	const tickets = "/unified/ticketing/tickets"
	t.Run("walk by cursor", func(t *testing.T) {
		t.Parallel()
		seen := map[string]bool{}
		for cursor := ""; ; {
			list := s.object(in(tickets+"?limit=7&next_cursor="+url.QueryEscape(cursor), s.account))
			result, _ := list["result"].([]any)
			require.NotEmpty(t, result, "an empty page with a cursor ends the lists of some clients")
			for _, o := range result {
				id, _ := o.(map[string]any)["id"].(string)
				require.False(t, seen[id])
				seen[id] = true
			}
			next, more := list["next_cursor"].(string)
			if !more {
				break
			}
			cursor = next
		}
		require.Len(t, seen, len(s.dixa.Truth()))
	})
	t.Run("filters", func(t *testing.T) {
		t.Parallel()
		for _, query := range []string{"status=closed", "status[id]=closed", "status[id][in]=closed", "status%5B0%5D=closed", "status[]=closed", "ticket_type=Email,Sms", "created_at[gte]=2020-01-01", "remote_query[query]=order"} {
			list := s.object(in(tickets+"?"+query, s.account))
			result, _ := list["result"].([]any)
			require.NotEmpty(t, result, query)
			for _, o := range result {
				status, _ := o.(map[string]any)["status"].(map[string]any)
				require.True(t, !strings.HasPrefix(query, "status") || status["id"] == "closed", query)
			}
		}
	})
	t.Run("forms", func(t *testing.T) {
		t.Parallel()
		keyed, ok := s.object(in("/unified/ticketing/tags?truto_key_by=name", s.account))["result"].(map[string]any)
		require.True(t, ok)
		require.Contains(t, keyed, "claim")
		raw, _ := s.object(in("/unified/ticketing/tags?truto_response_format=raw", s.account))["result"].([]any)
		require.Contains(t, raw[0], "state", "Dixa's own member")
		normalized, _ := s.object(in("/unified/ticketing/tags?truto_response_format=normalized", s.account))["result"].([]any)
		require.NotContains(t, normalized[0], "remote_data")
	})
	t.Run("faults", func(t *testing.T) {
		t.Parallel()
		e := s.send("GET", in(tickets+"?limit=0&status=solved&foo=1&truto_ignore_limit=true&truto_response_format=stream&truto_exclude_fields=nothing&remote_query[x]=1&sort_by[name]=asc&created_at[gt]=soon", s.account), s.secret, "").unifiedError(t, http.StatusBadRequest)
		require.Len(t, e.Details.Failures, 9, e)
		e = s.send("GET", in(tickets+"?sort_by[created_at]=asc", s.account), s.secret, "").unifiedError(t, http.StatusBadRequest)
		require.Contains(t, e.Details.Failures[0].Message, "no order")
		next := s.cursor(tickets)
		s.send("GET", in(tickets+"?status=open&next_cursor="+url.QueryEscape(next), s.account), s.secret, "").unifiedError(t, http.StatusBadRequest)
		s.send("GET", in(tickets+"?next_cursor=C2", s.account), s.secret, "").unifiedError(t, http.StatusBadRequest)
	})
}

// A file's address takes the same API key and passes the file on.
func TestUnifiedFilesAreDownloaded(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 0)
	api, err := dixa.New(token, dixa.WithBaseURL(s.host+"/v1/"))
	require.NoError(t, err)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write([]byte("a picture"))
	}))
	t.Cleanup(page.Close)
	user, err := api.EndUsers.Create(t.Context(), dixa.EndUserInput{DisplayName: "Nora", Email: "nora@example.com"})
	require.NoError(t, err)
	id, err := api.Conversations.Create(t.Context(), dixa.NewConversation{
		Type: dixa.NewEmail, RequesterID: user.ID, EmailIntegrationID: emulator.SeedMailbox, Subject: "Broken",
		Message: dixa.MessageInput{Type: dixa.Inbound, Content: dixa.TextContent("See the photo."), Attachments: []dixa.Attachment{{URL: page.URL, PrettyName: "photo.png"}}},
	})
	require.NoError(t, err)
	files, _ := s.object(in(fmt.Sprintf("/unified/ticketing/attachments?ticket_id=%d", id), s.account))["result"].([]any)
	require.Len(t, files, 1)
	file, _ := files[0].(map[string]any)
	require.Equal(t, "image/png", file["content_type"])
	address, _ := file["file_url"].(string)
	r := s.send("GET", address, s.key("acme", client.ScopeUnifiedRead), "")
	require.Equal(t, 200, r.StatusCode, r.text)
	require.Equal(t, "a picture", r.text)
	require.Equal(t, "image/png", r.Header.Get("Content-Type"))
	require.Contains(t, r.Header.Get("Content-Disposition"), "photo.png")
	s.send("GET", address, "", "").unifiedError(t, http.StatusUnauthorized)
	s.send("GET", address, s.key("", client.ScopeClaimsRead), "").unifiedError(t, http.StatusForbidden)
	s.send("GET", strings.Replace(address, "/attachments/", "/attachments/x", 1), s.secret, "").unifiedError(t, http.StatusNotFound)
	s.send("POST", address, s.secret, "").unifiedError(t, http.StatusMethodNotAllowed)
}

func TestUnifiedCapabilities(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 0)
	path := "/integrated-account/" + s.account + "/capabilities"
	all := s.object(path)
	require.Len(t, all["unified"], len(unified.Resources()))
	one := s.object(path + "?type=unified&resource=tags&methods=list,create")
	tags, _ := one["unified"].([]any)
	require.Len(t, tags, 1)
	require.Equal(t, []any{"list", "create"}, tags[0].(map[string]any)["methods"]) //nolint:errcheck,forcetypeassert // a failed test
	e := s.send("GET", path+"?type=x&resource=y&methods=z&w=1", s.secret, "").unifiedError(t, http.StatusBadRequest)
	require.Len(t, e.Details.Failures, 4)

	// Dixa lets the token read everything but tags, and search no conversations.
	for _, operation := range []string{"GET /tags", "POST /search/conversations"} {
		s.dixa.Inject(emulator.Fault{Operation: operation, Kind: emulator.FaultStatus, Status: http.StatusForbidden})
	}
	probed, _ := s.object(path + "?probe=true")["unified"].([]any)
	require.Len(t, probed, len(unified.Resources()))
	without := []string{}
	for _, resource := range probed {
		if r, _ := resource.(map[string]any); len(r["methods"].([]any)) == 0 { //nolint:errcheck,forcetypeassert // a failed test
			without = append(without, r["resource"].(string)) //nolint:errcheck,forcetypeassert // a failed test
		}
	}
	require.ElementsMatch(t, []string{"attachments", "comments", "tags", "tickets"}, without)

	s.settings("acme", `{"read_only": true}`)
	one = s.object(path + "?resource=tags")
	tags, _ = one["unified"].([]any)
	require.Equal(t, []any{"list", "get"}, tags[0].(map[string]any)["methods"], "a read-only account") //nolint:errcheck,forcetypeassert // a failed test
}
