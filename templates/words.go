package templates

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/claimflow/claimflow/claim"
)

// vocabulary is the words for claims in one language; see words/en.yaml.
type vocabulary struct {
	Date        string            `yaml:"date"`
	Labels      map[string]string `yaml:"labels"`
	Reasons     map[string]string `yaml:"reasons"`
	Preferences map[string]string `yaml:"preferences"`
	Phases      map[string]string `yaml:"phases"`
	States      map[string]string `yaml:"states"`
}

var vocabularies = sync.OnceValue(func() map[string]vocabulary {
	all := map[string]vocabulary{}
	for _, language := range DefaultLanguages() {
		var v vocabulary
		if err := readYAML("words/"+language+".yaml", &v); err != nil {
			panic(err) // the files are embedded and tested
		}
		all[language] = v
	}
	return all
})

var carriers = sync.OnceValue(func() map[string]string {
	var names map[string]string
	if err := readYAML("words/carriers.yaml", &names); err != nil {
		panic(err) // the file is embedded and tested
	}
	return names
})

// wordsIn returns the words of the language, or English ones if it has none.
func wordsIn(language string) vocabulary {
	if v, ok := vocabularies()[baseOf(language)]; ok {
		return v
	}
	return vocabularies()["en"]
}

// Word is a value of an open vocabulary with its human-readable text.
type Word struct {
	Key  string `doc:"the normalized value, such as partial_damage; empty if there is none"`
	Text string `doc:"its text in the template's language; an unknown value is made readable"`
}

// maxWord bounds the text of an untrusted value, in characters.
const maxWord = 100

// word translates a value. A value that is not in the table keeps its own text, with
// underscores replaced by spaces.
func word(value string, table map[string]string) Word {
	key := claim.NormalizeKey(value)
	if text, ok := table[key]; ok {
		return Word{Key: key, Text: text}
	}
	text := oneLine(value)
	if !strings.ContainsRune(text, ' ') && text != "" {
		text = strings.ReplaceAll(key, "_", " ")
	}
	return Word{Key: key, Text: shorten(text, maxWord, "…")}
}

// capitalized returns the word with a capital first letter.
func (w Word) capitalized() Word {
	r, n := utf8.DecodeRuneInString(w.Text)
	if n > 0 {
		w.Text = string(unicode.ToTitle(r)) + w.Text[n:]
	}
	return w
}
