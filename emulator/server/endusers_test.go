package server_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

func TestEndUserUniqueness(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		switches server.Switches
		user     object
		message  string // empty: created
	}{
		"same email":                 {server.Switches{}, object{"email": "anna@example.org"}, "Create EndUser failed with [errors:EmailExists]"},
		"other case":                 {server.Switches{}, object{"email": "ANNA@example.org"}, "Create EndUser failed with [errors:EmailExists]"},
		"other case, exact":          {server.Switches{EmailUniqueness: server.CaseExact}, object{"email": "ANNA@example.org"}, ""},
		"additional email":           {server.Switches{}, object{"email": "second@example.org"}, "Create EndUser failed with [errors:EmailExists]"},
		"an agent's email":           {server.Switches{}, object{"email": server.SeedAgentAnnaEmail}, "Create EndUser failed with [errors:EmailExists]"},
		"same phone":                 {server.Switches{}, object{"phoneNumber": "+4511223344"}, "Create EndUser failed with [errors:PhoneNumberExists]"},
		"same phone, accepted":       {server.Switches{DuplicatePhone: server.Accepted}, object{"phoneNumber": "+4511223344"}, ""},
		"non-E.164 phone":            {server.Switches{}, object{"phoneNumber": "11 22"}, ""},
		"non-E.164 phone, e164 only": {server.Switches{PhoneFormat: "e164"}, object{"phoneNumber": "11 22"}, "Create EndUser failed with [errors:InvalidPhoneNumber]"},
		"not an email":               {server.Switches{}, object{"email": "anna"}, "Decoding failure in request"},
		"unknown field":              {server.Switches{}, object{"email": "new@example.org", "nick": "A"}, ""},
		"unknown field, rejected":    {server.Switches{UnknownFields: server.Rejected}, object{"email": "new@example.org", "nick": "A"}, "Decoding failure in request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := start(t, server.Options{Switches: test.switches})
			d.contract = nil // deliberately sends unknown fields, which the contract forbids
			d.do(http.MethodPost, "/endusers", object{
				"email": "anna@example.org", "phoneNumber": "+4511223344", "additionalEmails": []string{"second@example.org"},
			}, http.StatusCreated)
			if test.message == "" {
				d.do(http.MethodPost, "/endusers", test.user, http.StatusCreated)
				return
			}
			require.Equal(t, test.message, d.do(http.MethodPost, "/endusers", test.user, http.StatusBadRequest).message())
			require.Len(t, d.State().EndUsers, 1, "a rejected create stored an end user")
		})
	}
}

func TestEndUserFilter(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		switches server.Switches
		query    string
		status   int
		found    int
	}{
		"by email":                          {server.Switches{}, "email=anna@example.org", 200, 1},
		"by email in another case":          {server.Switches{}, "email=ANNA@example.org", 200, 1},
		"exact filter":                      {server.Switches{EmailFilter: server.CaseExact}, "email=ANNA@example.org", 200, 0},
		"additional email":                  {server.Switches{}, "email=second@example.org", 200, 0},
		"additional email, matched":         {server.Switches{EmailFilterAdditional: true}, "email=second@example.org", 200, 1},
		"agent's email":                     {server.Switches{}, "email=" + server.SeedAgentAnnaEmail, 200, 0},
		"by phone":                          {server.Switches{}, "phone=" + url.QueryEscape("+4511223344"), 200, 1},
		"by external id":                    {server.Switches{}, "externalId=c-1", 200, 1},
		"no match":                          {server.Switches{}, "externalId=c-2", 200, 0},
		"no match, 404":                     {server.Switches{NoEndUser: "404"}, "externalId=c-2", 404, 0},
		"two filters":                       {server.Switches{}, "externalId=c-1&email=a@b.com", 400, 0},
		"unknown parameter":                 {server.Switches{}, "phoneNumber=1", 200, 1},
		"unknown parameter, rejected":       {server.Switches{UnknownQuery: server.Rejected}, "phoneNumber=1", 400, 0},
		"known parameter, unknown rejected": {server.Switches{UnknownQuery: server.Rejected}, "email=anna@example.org&pageLimit=1", 200, 1},
		"missing during list lag":           {server.Switches{EndUserListLag: server.Duration(time.Hour)}, "email=anna@example.org", 200, 0},
		"page limit of zero":                {server.Switches{}, "pageLimit=0", 400, 0},
		"page limit too large, capped":      {server.Switches{MaxPageLimit: 5}, "pageLimit=6", 200, 1},
		"page limit too large, rejected":    {server.Switches{MaxPageLimit: 5, PageLimitTooLarge: server.Rejected}, "pageLimit=6", 400, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := start(t, server.Options{Switches: test.switches})
			d.do(http.MethodPost, "/endusers", object{
				"email": "anna@example.org", "phoneNumber": "+4511223344", "externalId": "c-1",
				"additionalEmails": []string{"second@example.org"},
			}, http.StatusCreated)
			got := d.do(http.MethodGet, "/endusers?"+test.query, nil, test.status)
			if test.status == http.StatusOK {
				var users []object
				got.data(&users)
				require.Len(t, users, test.found)
			}
		})
	}
}

func TestEndUserListOmitsCustomAttributes(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	id := d.customer("a@example.org")
	d.do(http.MethodPatch, "/endusers/"+id+"/custom-attributes", object{server.SeedAttrLoyalty: "gold"}, http.StatusOK)

	var listed []object
	d.do(http.MethodGet, "/endusers", nil, http.StatusOK).data(&listed)
	require.NotContains(t, listed[0], "customAttributes")
	require.NotContains(t, listed[0], "phoneNumber", "an empty scalar is omitted")
	require.Equal(t, []any{}, listed[0]["additionalEmails"], "an empty list is included")

	var one object
	d.do(http.MethodGet, "/endusers/"+id, nil, http.StatusOK).data(&one)
	require.Len(t, one["customAttributes"], 1)
	d.do(http.MethodPatch, "/endusers/"+id+"/custom-attributes", object{server.SeedAttrLoyalty: nil}, http.StatusOK)
	d.do(http.MethodGet, "/endusers/"+id, nil, http.StatusOK).data(&one)
	require.Empty(t, one["customAttributes"], "null clears the value")
	refused := d.do(http.MethodPatch, "/endusers/"+id+"/custom-attributes", object{server.SeedAttrClaimID: "x"}, http.StatusBadRequest)
	require.Equal(t, "Invalid input for patching", refused.message(), "an attribute for conversations was accepted")
}

func TestReplacingEndUserClearsOmittedMembers(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	id := d.customer("a@example.org")
	var user object
	d.do(http.MethodPatch, "/endusers/"+id, object{"firstName": "A"}, http.StatusOK).data(&user)
	require.Equal(t, "a@example.org", user["email"], "the patch changed another member")
	d.do(http.MethodPut, "/endusers/"+id, object{"firstName": "B"}, http.StatusBadRequest)
	user = nil
	d.do(http.MethodPut, "/endusers/"+id, object{"displayName": "B"}, http.StatusOK).data(&user)
	require.NotContains(t, user, "email")
	d.do(http.MethodGet, "/endusers/not-a-uuid", nil, http.StatusBadRequest)
	d.do(http.MethodGet, "/endusers/"+server.SeedQueueClaims, nil, http.StatusNotFound)
}

func TestPagination(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	requester := d.customer("a@example.org")
	for range 5 {
		d.open(requester)
	}
	for _, version := range []string{"/v1", "/beta"} {
		var ids []float64
		next := version + "/endusers/" + requester + "/conversations?pageLimit=2"
		pages := 0
		for next != "" {
			var body struct {
				Data []struct {
					ID float64 `json:"id"`
				} `json:"data"`
				Meta *struct {
					Next     string `json:"next"`
					Previous string `json:"previous"`
				} `json:"meta"`
			}
			decode(t, d.do(http.MethodGet, next, nil, http.StatusOK).body, &body)
			for _, item := range body.Data {
				ids = append(ids, item.ID)
			}
			pages++
			next = ""
			if body.Meta != nil {
				next = body.Meta.Next
			}
			if next != "" {
				require.Regexp(t, "^"+version+`/endusers/[-0-9a-f]+/conversations\?pageKey=`, next, "root-relative with the version and only pageKey")
			}
		}
		require.Equal(t, []float64{1001, 1002, 1003, 1004, 1005}, ids)
		require.Equal(t, 3, pages)
	}
	d.SetSwitches(server.Switches{DefaultPageLimit: 3})
	var three []object
	d.do(http.MethodGet, "/endusers/"+requester+"/conversations", nil, http.StatusOK).data(&three)
	require.Len(t, three, 3, "without pageLimit")
	d.do(http.MethodGet, "/endusers?pageKey=nonsense", nil, http.StatusBadRequest)

	// Later pages keep the filters of the first.
	d.SetSwitches(server.Switches{ConversationOrder: server.NewestFirst})
	var page struct {
		Data []object          `json:"data"`
		Meta map[string]string `json:"meta"`
	}
	decode(t, d.do(http.MethodGet, "/search/conversations?query=broke&pageLimit=4", nil, http.StatusOK).body, &page)
	require.EqualValues(t, 1005, page.Data[0]["id"], "newest first")
	require.Regexp(t, `^/v1/search/conversations/\?pageKey=`, page.Meta["next"], "with the trailing slash that Dixa's links have")
	decode(t, d.do(http.MethodGet, page.Meta["next"], nil, http.StatusOK).body, &page)
	require.Len(t, page.Data, 1)
}
