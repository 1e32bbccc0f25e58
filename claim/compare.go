package claim

import (
	"encoding/json"
	"net/url"
	"reflect"
	"sort"
	"time"
)

// Differences returns the sorted JSON paths of the fields in which two versions of a
// claim differ. It ignores what changes on every delivery: the queries of URLs
// (expiring signatures) and the owner's timestamps.
func Differences(a, b *Claim) []string {
	out := diffPaths("", withoutDeliveries(a), withoutDeliveries(b))
	sort.Strings(out)
	return out
}

func diffPaths(path string, a, b map[string]any) []string {
	names := map[string]bool{}
	for name := range a {
		names[name] = true
	}
	for name := range b {
		names[name] = true
	}
	var out []string
	for name := range names {
		inA, _ := a[name].(map[string]any)
		inB, _ := b[name].(map[string]any)
		switch {
		case inA != nil || inB != nil:
			out = append(out, diffPaths(path+name+".", inA, inB)...)
		case !reflect.DeepEqual(a[name], b[name]):
			out = append(out, path+name)
		}
	}
	return out
}

// withoutDeliveries returns the claim by JSON name, without what changes on every
// delivery.
func withoutDeliveries(c *Claim) map[string]any {
	k := *c
	k.CreatedAt, k.UpdatedAt, k.Cut = time.Time{}, time.Time{}, nil
	k.ImageURLs = withoutQueries(k.ImageURLs)
	k.OptionalImageURLs = withoutQueries(k.OptionalImageURLs)
	k.SignatureURL = withoutQuery(k.SignatureURL)
	k.Items = append([]Item(nil), k.Items...)
	for i := range k.Items {
		k.Items[i].ImageURLs = withoutQueries(k.Items[i].ImageURLs)
	}
	k.Shipments = append([]Shipment(nil), k.Shipments...)
	for i := range k.Shipments {
		k.Shipments[i].TrackingURL = withoutQuery(k.Shipments[i].TrackingURL)
	}
	data, err := json.Marshal(k)
	if err != nil {
		panic("claim: cannot marshal the claim: " + err.Error())
	}
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		panic("claim: cannot unmarshal the marshaled claim: " + err.Error())
	}
	return m
}

func withoutQueries(urls []string) []string {
	out := make([]string, len(urls))
	for i, u := range urls {
		out[i] = withoutQuery(u)
	}
	return out
}

func withoutQuery(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = "", false, "", ""
	return u.String()
}
