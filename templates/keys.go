package templates

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/claimflow/claimflow/claim"
)

// Key is a key that templates can use.
type Key struct {
	// Path is how a template writes the key, such as ".Order.Number". "[]" stands for the
	// entries of a list: inside {{range .Items}}, ".Items[].Name" is ".Name".
	Path string
	// Doc says what the key is.
	Doc string
	// Example is the key's value for a sample claim; empty for a list.
	Example string
	// List is the maximum length of a list; 0 for other keys.
	List int
	// Internal says that only the internal note may use the key.
	Internal bool
}

// Keys lists all keys of templates, with examples in a language of [DefaultLanguages].
func Keys(language string) []Key {
	sample := NewView(SamplesIn(language)[0], ViewInput{ShopName: "Sample Shop", Language: language, OtherClaims: []claim.OtherClaim{{ID: "C-1041", State: claim.StateClosed, ConversationID: 4711}}})
	var out []Key
	var add func(path string, v reflect.Value, internal bool)
	add = func(path string, v reflect.Value, internal bool) {
		for i := range v.NumField() {
			f, value := v.Type().Field(i), v.Field(i)
			if f.Anonymous {
				add(path, value, internal)
				continue
			}
			k := Key{Path: path + "." + f.Name, Doc: f.Tag.Get("doc"), Internal: internal || f.Type == reflect.TypeFor[Internal]()}
			word, isWord := value.Interface().(Word)
			switch {
			case isWord:
				k.Path, k.Example = k.Path+".Text", word.Text
				out = append(out, k)
				k.Path, k.Example = strings.TrimSuffix(k.Path, ".Text")+".Key", word.Key
				out = append(out, k)
			case f.Type.Kind() == reflect.Slice:
				k.List = listBounds[f.Type]
				out = append(out, k)
				entry := reflect.Zero(f.Type.Elem())
				if value.Len() > 0 {
					entry = value.Index(0)
				}
				add(k.Path+"[]", entry, k.Internal)
			case f.Type.Kind() == reflect.Struct:
				add(k.Path, value, k.Internal)
			default:
				k.Example = fmt.Sprint(value.Interface())
				out = append(out, k)
			}
		}
	}
	add("", reflect.ValueOf(sample), false)
	return out
}
