package server

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// pageMeta holds the links to the adjacent pages. They are root-relative, like
// Dixa's, unless the switch nextLinks says otherwise.
type pageMeta struct {
	Previous string `json:"previous,omitempty"`
	Next     string `json:"next,omitempty"`
}

// inOrder returns a list, given oldest first, in the order set by the switch
// listOrder.
func inOrder[T any](s *Server, items []T) []T {
	if s.switches.ListOrder == NewestFirst {
		slices.Reverse(items)
	}
	return items
}

// page replies with one page of a list. path is the operation's path without the version.
// largest is the largest page size unless a switch overrides it. The page key
// encodes the size and the filters, so that clients send nothing else for later
// pages.
func page[T any](c *call, path string, largest int, items []T) (reply, error) {
	return pageOf(c, path, largest, items, func(item T) T { return item })
}

// pageOf is page for items that are expensive to render: it calls body only for those
// on the page.
func pageOf[T, B any](c *call, path string, largest int, items []T, body func(T) B) (reply, error) {
	largest = cmp.Or(c.switches.MaxPageLimit, largest)
	limit, offset := min(c.switches.DefaultPageLimit, largest), 0
	if text := c.query.Get("pageLimit"); text != "" {
		asked, err := strconv.ParseInt(text, 10, 32)
		if err != nil || asked < 1 {
			return reply{}, bad(messageInvalid)
		}
		if int(asked) > largest && c.switches.PageLimitTooLarge == Rejected {
			return reply{}, bad(messageInvalid)
		}
		limit = min(int(asked), largest)
	}
	if c.query.Get("pageKey") != "" {
		key := c.pageKey()
		size, sizeErr := strconv.Atoi(key.Get("pageLimit"))
		number, numberErr := strconv.Atoi(key.Get("offset"))
		if sizeErr != nil || numberErr != nil || size < 1 || number < 0 {
			return reply{}, bad(messageInvalid)
		}
		if c.query.Get("pageLimit") == "" {
			limit = size
		}
		offset = number
	}

	end := min(offset+limit, len(items))
	start := min(offset, len(items))
	result := envelope{Data: each(items[start:end], body)}
	meta := pageMeta{}
	if end < len(items) {
		meta.Next = c.pageLink(path, limit, end)
	}
	if start > 0 {
		meta.Previous = c.pageLink(path, limit, max(0, start-limit))
	}
	if meta != (pageMeta{}) {
		result.Meta = &meta
	}
	return reply{status: http.StatusOK, body: result}, nil
}

func (c *call) pageLink(path string, limit, offset int) string {
	key := url.Values{}
	for name, values := range c.filters() {
		key[name] = values
	}
	key.Set("pageLimit", strconv.Itoa(limit))
	key.Set("offset", strconv.Itoa(offset))
	encoded := base64.StdEncoding.EncodeToString([]byte(key.Encode()))
	link := "/" + c.version + path + "?pageKey=" + url.QueryEscape(encoded)
	if c.switches.NextLinks == "absolute" {
		return c.origin + link
	}
	return link
}

// pageKey decodes the key of a later page. The published example of a key ends with
// a stray colon after its padding, so pageKey tolerates one.
func (c *call) pageKey() url.Values {
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(c.query.Get("pageKey"), ":"))
	if err != nil {
		return nil
	}
	key, err := url.ParseQuery(string(decoded))
	if err != nil {
		return nil
	}
	return key
}

// filter returns one filter of the request, or of the first page's request if this
// is a later page.
func (c *call) filter(name string) string { return c.filters().Get(name) }

// filters returns the query parameters of the request, or of the first page's
// request if this is a later page.
func (c *call) filters() url.Values {
	source := c.query
	if c.query.Get("pageKey") != "" {
		source = c.pageKey()
	}
	kept := url.Values{}
	for name, values := range source {
		if name != "pageKey" && name != "pageLimit" && name != "offset" {
			kept[name] = values
		}
	}
	return kept
}

// checkQuery refuses query parameters that the operation does not have, if the
// switch unknownQuery requires it.
func (c *call) checkQuery(rt route) error {
	if c.switches.UnknownQuery != Rejected {
		return nil
	}
	for name := range c.query {
		known := rt.paged && (name == "pageLimit" || name == "pageKey")
		for _, parameter := range rt.query {
			known = known || name == parameter
		}
		if !known {
			return bad(messageInvalid)
		}
	}
	return nil
}
