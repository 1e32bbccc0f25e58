package portal

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/claimflow/claimflow/claim"
)

//go:embed words
var wordFiles embed.FS

// words are the texts of the pages in one language, by key.
type words struct {
	language string
	texts    map[string]string
}

// readWords reads the files of a language. A key may be in one of them only.
func readWords(language string) (words, error) {
	w := words{language: language, texts: map[string]string{}}
	files, err := fs.Glob(wordFiles, "words/"+language+"/*.json")
	if err != nil {
		return w, err
	}
	for _, file := range files {
		var texts map[string]string
		data, err := wordFiles.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(data, &texts)
		}
		if err != nil {
			return w, fmt.Errorf("read the words in %s: %w", file, err)
		}
		for key, text := range texts {
			if w.has(key) {
				return w, fmt.Errorf("read the words in %s: %s is in another file too", file, key)
			}
			w.texts[key] = text
		}
	}
	return w, nil
}

// say returns the text of a key with its arguments, or the key if it has no text.
func (w words) say(key string, args ...any) string {
	text, ok := w.texts[key]
	if !ok {
		return key
	}
	if len(args) > 0 {
		return fmt.Sprintf(text, args...)
	}
	return text
}

// term returns the text of a word of an open vocabulary, or the word itself if the portal
// has no text for it. kind is the prefix of the keys.
func (w words) term(kind, word string) string {
	if key := kind + "." + claim.NormalizeKey(word); w.has(key) {
		return w.say(key)
	}
	return word
}

func (w words) has(key string) bool {
	_, ok := w.texts[key]
	return ok
}

const languageCookie = "claimflow-portal-language"

var matcher = language.NewMatcher([]language.Tag{language.English, language.German})

// wordsFor returns the words in the language that the person chose, else that of the link,
// else the browser's.
func (p *Portal) wordsFor(r *http.Request, link string) words {
	chosen := link
	if c, err := r.Cookie(languageCookie); err == nil && slices.Contains(claim.PortalLanguages(), c.Value) {
		chosen = c.Value
	}
	if !slices.Contains(claim.PortalLanguages(), chosen) {
		tag, _ := language.MatchStrings(matcher, r.Header.Get("Accept-Language"))
		base, _ := tag.Base()
		chosen = base.String()
	}
	return p.sets[chosen].words
}

// chooseLanguage remembers the language that a person chose.
func (p *Portal) chooseLanguage(w http.ResponseWriter, r *http.Request) {
	if chosen := r.FormValue("language"); slices.Contains(claim.PortalLanguages(), chosen) {
		http.SetCookie(w, &http.Cookie{ //nolint:gosec // on the machine itself, there is no https
			Name: languageCookie, Value: chosen, Path: "/portal/", HttpOnly: true, Secure: p.secure, SameSite: http.SameSiteLaxMode, MaxAge: int((365 * 24 * time.Hour).Seconds()),
		})
	}
	http.Redirect(w, r, ownPath(r.FormValue("from")), http.StatusSeeOther) //nolint:gosec // ownPath admits only the portal
}

// ownPath returns an address if it is a page of the portal, else the portal's first page.
func ownPath(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(u.Path, "/portal/") || strings.Contains(address, "\\") || strings.HasPrefix(u.Path, "/portal/enter/") || strings.HasPrefix(u.Path, "/portal/wall/") {
		return "/portal/"
	}
	return u.String()
}
