package portal

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
)

//go:embed pages
var pageFiles embed.FS

// view is what a page shows.
type view struct {
	Title string
	Data  any

	// The rest is set by [visit.show].
	Session claim.PortalSession
	Shop    string
	Page    claim.PortalPage
	Pages   []claim.PortalPage
	// Done is the key of the words that confirm the command before.
	Done string
	// Event tells the platform's page what happened, and Origin is the only origin that
	// learns of it.
	Event, Origin string
	Language      string
	// Path is the address of the page within the service.
	Path string
	// Live says that the page shows news by itself. Every is how often it looks for them,
	// if they are costly; zero for [Options.LiveEvery].
	Live  bool
	Every time.Duration
}

// pageSet are the pages in one language.
type pageSet struct {
	words words
	pages map[string]*template.Template
}

// parsePages parses all pages in all languages.
func parsePages() (map[string]*pageSet, error) {
	sets := map[string]*pageSet{}
	for _, language := range claim.PortalLanguages() {
		w, err := readWords(language)
		if err != nil {
			return nil, err
		}
		base, err := template.New("layout").Funcs(functions(w)).ParseFS(pageFiles, "pages/layout.html", "pages/parts.html")
		if err != nil {
			return nil, err
		}
		set := &pageSet{words: w, pages: map[string]*template.Template{}}
		files, err := fs.Glob(pageFiles, "pages/*.html")
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			name := strings.TrimSuffix(path.Base(file), ".html")
			if name == "layout" || name == "parts" {
				continue
			}
			page, err := base.Clone()
			if err == nil {
				page, err = page.ParseFS(pageFiles, file)
			}
			if err != nil {
				return nil, err
			}
			set.pages[name] = page
		}
		sets[language] = set
	}
	return sets, nil
}

// functions are those of templates.
func functions(w words) template.FuncMap {
	return template.FuncMap{
		"say":   w.say,
		"term":  w.term,
		"dict":  dict,
		"time":  func(t time.Time) template.HTML { return timeElement(w, t) },
		"lower": strings.ToLower,
		"list":  func(words ...string) []string { return words },
		"add1":  func(i int) int { return i + 1 },
		"join":  strings.Join,
		"has":   func(list []string, s string) bool { return slices.Contains(list, s) },

		"address": addressOf,
		"problem": w.problem,
		"count":   w.number,
		"column":  func(name string) string { return w.sayOr("column."+name, name) },
		"channel": func(name string) string { return w.sayOr("channel."+name, name) },
	}
}

// dict makes the argument of a part from names and values.
func dict(pairs ...any) (map[string]any, error) {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("argument %d is not a name", i)
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

// timeElement shows a time in UTC. The script shows it in the person's time zone instead.
func timeElement(w words, t time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	t = t.UTC()
	text := fmt.Sprintf("%d %s %d, %s UTC", t.Day(), w.say(fmt.Sprintf("month.%d", t.Month())), t.Year(), t.Format("15:04"))
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339) + `">` + template.HTMLEscapeString(text) + `</time>`) //nolint:gosec // escaped
}

// show answers with a page.
func (v *visit) show(status int, name string, data view) {
	data = v.complete(data)
	if region := isFragment(v.r.Context()); region != nil {
		v.writeFragment(name, data)
		return
	}
	v.write(v.w, v.r, status, name, v.words, data)
}

// complete adds what every page of a session shows.
func (v *visit) complete(data view) view {
	data.Session, data.Page, data.Path = v.session, v.page, v.r.URL.RequestURI()
	if v.r.Method != http.MethodGet {
		data.Path = "/portal/" + string(v.page) // the address of a command shows nothing
	}
	for _, page := range claim.PortalPages() {
		if v.shows(page) {
			data.Pages = append(data.Pages, page)
		}
	}
	if name, err := v.Store.Shops.Name(v.r.Context(), v.session.Shop); err == nil {
		data.Shop = cmp.Or(name, v.session.Shop)
	}
	if done := v.r.URL.Query().Get("done"); v.r.Method == http.MethodGet && v.words.has("done."+done) {
		data.Done = done
		data.Event = events[done]
	}
	data.Origin = v.session.AllowedOrigin
	return data
}

// growTimeout bounds the time in which a page that grows is sent.
const growTimeout = 2 * time.Minute

// showGrowing answers with a page that is sent as it is rendered, because what it shows
// takes time. Its data calls [visit.flush] to send what there is, between two elements. An
// error after that cuts the page off.
func (v *visit) showGrowing(name string, data view) {
	data = v.complete(data)
	data.Language = v.words.language
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.words.language)
	h.Set("X-Accel-Buffering", "no")
	if err := http.NewResponseController(v.w).SetWriteDeadline(time.Now().Add(growTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		note(v.r.Context()).err = err // the server's own deadline holds
	}
	err := v.sets[v.words.language].pages[name].ExecuteTemplate(&v.rendered, "layout.html", data)
	switch {
	case err == nil:
		v.flush()
	case !v.flushed:
		cannotRender(v.w, v.r, name, v.words, err)
	default:
		if v.r.Context().Err() == nil {
			v.Log.ErrorContext(v.r.Context(), "cannot render a page of the portal", "page", name, "error", err.Error())
		}
		panic(http.ErrAbortHandler) // a part must not pass for the page
	}
}

// flush sends what was rendered since the last time.
func (v *visit) flush() {
	v.flushed = true
	_, _ = v.w.Write(forShop(v.rendered.Bytes(), v.session.Shop)) // the browser may have gone
	v.rendered.Reset()
	_ = http.NewResponseController(v.w).Flush()
}

// events are what the platform's page is told after a command.
var events = map[string]string{"connected": "connected", "reconnected": "connected", "enabled": "enabled", "disabled": "disabled"}

// notice is a page without a session.
type notice struct {
	status int
	// key selects the words: key.title, key.text and key.link.
	key string
	// session may be empty.
	session claim.PortalSession
	// link is where the person can go next; empty for nowhere.
	link, event string
}

func (p *Portal) notice(w http.ResponseWriter, r *http.Request, n notice) {
	words := p.wordsFor(r, n.session.Language)
	p.write(w, r, n.status, "notice", words, view{
		Title: words.say(n.key + ".title"), Origin: n.session.AllowedOrigin, Event: n.event,
		Data: map[string]string{"Text": words.say(n.key + ".text"), "Link": n.link},
	})
}

// write renders a page before it sends anything, so that a page is never cut off by an
// error.
func (p *Portal) write(w http.ResponseWriter, r *http.Request, status int, name string, words words, data view) {
	data.Language = words.language
	var page bytes.Buffer
	if err := p.sets[words.language].pages[name].ExecuteTemplate(&page, "layout.html", data); err != nil {
		cannotRender(w, r, name, words, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", words.language)
	w.WriteHeader(status)
	_, _ = w.Write(forShop(page.Bytes(), data.Session.Shop)) // the browser may have gone
}

func cannotRender(w http.ResponseWriter, r *http.Request, name string, words words, err error) {
	note(r.Context()).err = fmt.Errorf("render the page %s: %w", name, err)
	http.Error(w, words.say("broken.title"), http.StatusInternalServerError)
}
