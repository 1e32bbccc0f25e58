package claim

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// PortalPage is a page of the portal.
type PortalPage string

// The pages of the portal.
const (
	PageSetup      PortalPage = "setup"      // the connection to Dixa
	PageTemplates  PortalPage = "templates"  // the words of conversations
	PageRules      PortalPage = "rules"      // tags, routing and status rules
	PageClaims     PortalPage = "claims"     // claims, and what needs attention
	PageEndpoints  PortalPage = "endpoints"  // who is notified
	PageData       PortalPage = "data"       // data sources and imports
	PageDashboards PortalPage = "dashboards" // key figures
)

// PortalPages lists the pages in the order of the portal's menu.
func PortalPages() []PortalPage {
	return []PortalPage{PageSetup, PageTemplates, PageRules, PageClaims, PageEndpoints, PageData, PageDashboards}
}

// PortalCapability is something that a person may do on the pages of a portal session.
// Reading needs none.
type PortalCapability string

// The capabilities of a portal session.
const (
	MayConfigure PortalCapability = "configure" // change settings, the token, templates, endpoints and data sources
	MayOperate   PortalCapability = "operate"   // retry, abandon and link claims, send messages, start imports, replay events
)

// PortalCapabilities lists the capabilities.
func PortalCapabilities() []PortalCapability {
	return []PortalCapability{MayConfigure, MayOperate}
}

// PortalLanguages lists the languages of the portal.
func PortalLanguages() []string { return []string{"en", "de"} }

// Limits of portal links and sessions.
const (
	DefaultPortalLinkTTL = 5 * time.Minute  // how long a link can be used
	MaxPortalLinkTTL     = 15 * time.Minute // how long a link can be used at most
	PortalSessionTTL     = 8 * time.Hour    // how long a session lasts at most
	PortalSessionIdle    = 30 * time.Minute // how long a session lasts without a request
)

// NewPortalLink describes a link to the portal of a shop.
type NewPortalLink struct {
	// Subject identifies the person to the platform.
	Subject string `json:"subject" minLength:"1" maxLength:"200" doc:"The platform's id of the person who will use the link. The audit log shows it: use an id rather than a name or an address."`
	// Pages are the visible pages; all if nil.
	Pages []PortalPage `json:"pages,omitzero" doc:"The pages that the person sees. Defaults to all: setup, templates, rules, claims, endpoints, data, dashboards."`
	// Capabilities are what the person may do besides reading; all if nil.
	Capabilities []PortalCapability `json:"capabilities,omitzero" doc:"What the person may do besides reading: configure (settings, the token, templates, endpoints, data sources) and operate (retry and abandon claims, send messages, import). Defaults to what the API key permits; [] allows reading only."`
	Language     string             `json:"language,omitempty" enum:"en,de" doc:"The language of the pages. Defaults to that of the browser."`
	// ReturnURL is where the person leaves the portal to, RefreshURL where an ended
	// session leads. RefreshURL defaults to ReturnURL.
	ReturnURL  string `json:"return_url,omitempty" format:"uri" maxLength:"2000" doc:"The https address of the platform to which the person returns."`
	RefreshURL string `json:"refresh_url,omitempty" format:"uri" maxLength:"2000" doc:"The https address of the platform to which a used or expired link and an ended session lead. The platform authenticates the person there again. Defaults to return_url."`
	// AllowedOrigin is the origin that may show the portal in a frame.
	AllowedOrigin string `json:"allowed_origin,omitempty" maxLength:"300" doc:"The origin whose pages may show the portal in a frame and receive its messages, such as https://platform.example. If omitted, no page may."`
	// ExpiresIn is how long the link can be used, in seconds.
	ExpiresIn int `json:"expires_in,omitempty" minimum:"10" maximum:"900" doc:"How many seconds the link can be used. Defaults to 300."`
}

// PortalSession is a link to the portal, and the session that begins when it is used.
type PortalSession struct {
	ID           string             `json:"id"`
	Shop         string             `json:"shop"`
	Subject      string             `json:"subject"`
	Pages        []PortalPage       `json:"pages"`
	Capabilities []PortalCapability `json:"capabilities"`
	Language     string             `json:"language,omitempty"`
	ReturnURL    string             `json:"return_url,omitempty"`
	RefreshURL   string             `json:"refresh_url,omitempty"`
	// AllowedOrigin is the origin that may show the portal in a frame.
	AllowedOrigin string `json:"allowed_origin,omitempty"`
	// CreatedBy is the name of the API key that created the link.
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	// StartedAt is when the link was used; zero if it was not yet.
	StartedAt time.Time `json:"started_at,omitzero"`
	// LastSeenAt is accurate to a minute.
	LastSeenAt time.Time `json:"last_seen_at,omitzero"`
	// ExpiresAt is when the link, or its session, ends at the latest.
	ExpiresAt time.Time `json:"expires_at"`
}

// May reports whether the session has a capability.
func (s PortalSession) May(c PortalCapability) bool { return slices.Contains(s.Capabilities, c) }

// Shows reports whether the session shows a page.
func (s PortalSession) Shows(p PortalPage) bool { return slices.Contains(s.Pages, p) }

// Validate lists everything that is wrong with a link.
func (l *NewPortalLink) Validate() []FieldError {
	var all []FieldError
	add := func(field, problem string) { all = append(all, FieldError{Field: field, Problem: problem}) }
	if l.Subject == "" || len(l.Subject) > 200 || !IsText(l.Subject) {
		add("subject", "must be text of 1 to 200 bytes")
	}
	if l.Pages != nil && len(l.Pages) == 0 {
		add("pages", "must name a page; leave it out for all pages") // who sees none must not see all
	}
	for _, p := range l.Pages {
		if !slices.Contains(PortalPages(), p) {
			add("pages", "must each be one of "+joined(PortalPages()))
			break
		}
	}
	for _, c := range l.Capabilities {
		if !slices.Contains(PortalCapabilities(), c) {
			add("capabilities", "must each be one of "+joined(PortalCapabilities()))
			break
		}
	}
	if l.Language != "" && !slices.Contains(PortalLanguages(), l.Language) {
		add("language", "must be one of "+strings.Join(PortalLanguages(), ", "))
	}
	for field, address := range map[string]string{"return_url": l.ReturnURL, "refresh_url": l.RefreshURL} {
		if address != "" && !isPlatformURL(address) {
			add(field, "must be an https address without user and password; http is allowed on the machine itself only")
		}
	}
	if l.AllowedOrigin != "" && !isOrigin(l.AllowedOrigin) {
		add("allowed_origin", "must be an origin such as https://platform.example, without a path; http is allowed on the machine itself only")
	}
	if limit := int(MaxPortalLinkTTL / time.Second); l.ExpiresIn < 0 || l.ExpiresIn > limit {
		add("expires_in", "must be at most 900 seconds")
	}
	slices.SortFunc(all, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
	return all
}

func joined[S ~string](all []S) string {
	words := make([]string, len(all))
	for i, s := range all {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}

// PortalOperators is what [PortalSession.CreatedBy] names for operators of the platform,
// who sign in by OpenID Connect instead of a link.
const PortalOperators = "OpenID Connect"

// IsLoopback reports whether a host name is the machine itself.
func IsLoopback(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || host == "127.0.0.1" || host == "::1"
}

// IsSecureURL reports whether an address uses https, or http on the machine itself.
func IsSecureURL(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && IsLoopback(u.Hostname()))
}

func isPlatformURL(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.User == nil && IsSecureURL(address)
}

// isOrigin accepts only what a Content-Security-Policy can name, without wildcards.
func isOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && isPlatformURL(origin) && u.Scheme+"://"+u.Host == origin && !strings.ContainsAny(u.Host, "*;,' \"")
}
