package claim

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Truncation describes a part of a claim that was shortened or dropped because it was too
// long. Only display values are cut. A value that is required to open the claim is
// rejected instead.
type Truncation struct {
	// Field is the JSON path.
	Field string `json:"field"`
	// Given and Kept count the characters of a text or the entries of a list. A Kept
	// of 0 means that the value was dropped.
	Given int `json:"given"`
	Kept  int `json:"kept"`
	// List says that the counts are entries.
	List bool `json:"list,omitempty"`
}

// String describes the cut in words.
func (c Truncation) String() string {
	of := "characters"
	if c.List {
		of = "entries"
	}
	if c.Kept == 0 {
		return fmt.Sprintf("%s: omitted, because %d %s exceed the limit", c.Field, c.Given, of)
	}
	return fmt.Sprintf("%s: truncated to the first %d of %d %s", c.Field, c.Kept, c.Given, of)
}

// Values of the `long` tag: what happens to a field that exceeds its validation
// limit. A field without the tag is rejected.
const (
	longCut  = "cut"  // a text keeps its beginning, a list its first entries
	longDrop = "drop" // a partial value would be wrong: drop the field, or such entries of a list
)

// shorten cuts values that are too long and lists them in Cut. It also keeps the
// earlier cuts of before for fields that did not change since.
func (c *Claim) shorten(before *Claim) {
	c.Cut = nil
	var cuts []Truncation
	shortenStruct(reflect.ValueOf(c).Elem(), "", &cuts)
	if before != nil {
		changed := Differences(before, c)
		for _, old := range before.Cut {
			if !slices.ContainsFunc(changed, func(path string) bool { return old.Field == path || strings.HasPrefix(old.Field, path+"[") }) {
				cuts = append(cuts, old)
			}
		}
	}
	c.Cut = cuts
}

func shortenStruct(v reflect.Value, path string, cuts *[]Truncation) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		shortenField(v.Field(i), path+name, field.Tag, cuts)
	}
}

func shortenField(f reflect.Value, path string, tag reflect.StructTag, cuts *[]Truncation) {
	own, each, _ := strings.Cut(tag.Get("validate"), ",dive")
	how, most := tag.Get("long"), maxOf(own)
	switch {
	case f.Kind() == reflect.String && how != "":
		shortenText(f, path, how, most, cuts)
	case f.Kind() == reflect.Slice && how != "":
		if given := f.Len(); given > most {
			f.Set(f.Slice(0, most))
			*cuts = append(*cuts, Truncation{Field: path, Given: given, Kept: most, List: true})
		}
		if f.Type().Elem().Kind() == reflect.String {
			f.Set(reflect.ValueOf(shortEntries(f, path, maxOf(each), cuts)).Convert(f.Type()))
			return
		}
		for i := range f.Len() {
			if f.Index(i).Kind() == reflect.Struct {
				shortenStruct(f.Index(i), fmt.Sprintf("%s[%d].", path, i), cuts)
			}
		}
	case f.Kind() == reflect.Struct && f.Type().PkgPath() == reflect.TypeFor[Claim]().PkgPath():
		shortenStruct(f, path+".", cuts)
	}
}

func shortenText(f reflect.Value, path, how string, most int, cuts *[]Truncation) {
	given := utf8.RuneCountInString(f.String())
	if given <= most {
		return
	}
	cut := Truncation{Field: path, Given: given}
	short := ""
	if how == longCut {
		cut.Kept = most - 1
		short = string([]rune(f.String())[:cut.Kept]) + "…"
	}
	f.SetString(short)
	*cuts = append(*cuts, cut)
}

// shortEntries returns the texts of a list that are within the limit.
func shortEntries(f reflect.Value, path string, most int, cuts *[]Truncation) []string {
	var short []string
	for i := range f.Len() {
		text := f.Index(i).String()
		if given := utf8.RuneCountInString(text); most > 0 && given > most {
			*cuts = append(*cuts, Truncation{Field: fmt.Sprintf("%s[%d]", path, i), Given: given})
			continue
		}
		short = append(short, text)
	}
	return short
}

// maxOf returns the max limit of validation rules, or 0 if there is none.
func maxOf(rules string) int {
	for rule := range strings.SplitSeq(rules, ",") {
		if bound, ok := strings.CutPrefix(rule, "max="); ok {
			n, err := strconv.Atoi(bound)
			if err != nil {
				panic("claim: invalid limit in the validation rule " + rule)
			}
			return n
		}
	}
	return 0
}
