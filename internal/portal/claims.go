package portal

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func (p *Portal) claimsRoutes() {
	const page, may = claim.PageClaims, claim.MayOperate
	p.livePage(page, "claims", (*visit).claims)
	p.page(page, "GET claims.csv", "", (*visit).claimsCSV)
	p.page(page, "POST claims/mend", may, (*visit).mendAll)
	p.page(page, "POST claims/open-skipped", may, (*visit).openSkipped)
	p.livePage(page, "claims/{claim}", (*visit).claim)
	p.page(page, "GET claims/{claim}/messages/{message}/files/{file}", "", (*visit).messageFile)
	p.page(page, "POST claims/{claim}/retry", may, (*visit).retryClaim)
	p.page(page, "POST claims/{claim}/abandon", may, (*visit).abandonClaim)
	p.page(page, "POST claims/{claim}/link", may, (*visit).linkClaim)
	p.page(page, "POST claims/{claim}", may, (*visit).sendMessage)
}

// claimsPerPage is how many claims a page shows.
const claimsPerPage = 50

// claimsData is what the list of claims shows.
type claimsData struct {
	// Filters are the filters as typed.
	Filters form
	// Filtered says that they leave something out, and MoreFilters that it is not only
	// by the search and the state.
	Filtered, MoreFilters bool
	// Parked are the numbers of the claims that wait for the same mending.
	Parked  []parkedClaims
	Skipped int
	Enabled bool
	// Fragment says that only what may have changed is shown: the form of the filters is
	// left out.
	Fragment bool
	// Faulty says that the filters select nothing until they are mended.
	Faulty bool
	Claims []claim.Record
	// Customers are the names of the customers by the ids of the claims.
	Customers map[string]string
	// CSV, First and Next are addresses. First is empty on the first page and Next on
	// the last.
	CSV, First, Next string

	States  []claim.State
	Causes  []claim.Cause
	Reasons []string
	Phases  []string
}

// parkedClaims are the claims that need attention for one cause.
type parkedClaims struct {
	Cause claim.Cause
	Count int
}

// filterFields are the parameters of the list. All but the first two are more filters.
var filterFields = []string{"q", "state", "cause", "reason", "phase", "carrier", "from", "to"}

// claims shows the claims of the shop, newest first, below those that need a person.
func (v *visit) claims() error {
	ctx := v.r.Context()
	waiting, err := v.api.Attention(ctx, v.session.Shop)
	if err != nil {
		return err
	}
	d := claimsData{
		Skipped: waiting.Skipped, Enabled: waiting.Enabled, Fragment: isFragment(ctx) != nil,
		States: claim.States(), Causes: claim.Causes(), Reasons: claim.Reasons(), Phases: claim.Phases(),
	}
	for _, cause := range claim.Causes() {
		if n := waiting.Parked[cause]; n > 0 {
			d.Parked = append(d.Parked, parkedClaims{cause, n})
		}
	}
	query := v.r.URL.Query()
	filter, filters := v.claimFilter(query)
	filter.Customers = true
	d.Filters, d.Filtered = filters, filter != client.Filter{PageSize: claimsPerPage, Customers: true}
	for _, name := range filterFields[2:] {
		d.MoreFilters = d.MoreFilters || filters.Values[name] != ""
	}
	status := http.StatusOK
	if len(filters.Faults) == 0 {
		page, err := v.api.ClaimsPage(ctx, v.session.Shop, filter, query.Get("cursor"))
		var refused *client.Error
		switch {
		case errors.As(err, &refused) && refused.Code == client.CodeInvalid: // an address changed by hand
			d.Filters.Summary = v.words.say("claims.filter.invalid")
		case err != nil:
			return err
		}
		d.Claims, d.Customers = page.Claims, page.Customers
		d.addAddresses(query, page.Next)
	}
	if len(d.Filters.Faults) > 0 || d.Filters.Summary != "" {
		status, d.Faulty = http.StatusUnprocessableEntity, true
	}
	v.show(status, "claims", view{Title: v.words.say("page.claims"), Live: true, Data: d})
	return nil
}

// addAddresses sets the addresses that have the same filters.
func (d *claimsData) addAddresses(query url.Values, next string) {
	kept := url.Values{}
	for _, name := range append([]string{"zone"}, filterFields...) {
		if value := query.Get(name); value != "" {
			kept.Set(name, value)
		}
	}
	d.CSV = "/portal/claims.csv?" + kept.Encode()
	if query.Get("cursor") != "" {
		d.First = "/portal/claims?" + kept.Encode()
	}
	if next != "" {
		kept.Set("cursor", next)
		d.Next = "/portal/claims?" + kept.Encode()
	}
}

// claimFilter reads the filters of an address. The form has them as typed.
func (v *visit) claimFilter(query url.Values) (client.Filter, form) {
	typed := form{Values: map[string]string{}, Faults: map[string]string{}}
	for _, name := range filterFields {
		typed.Values[name] = strings.TrimSpace(query.Get(name))
	}
	zone := v.zoneOfForm()
	day := func(field string) time.Time {
		text := typed.Values[field]
		if text == "" {
			return time.Time{}
		}
		t, ok := timeOfForm(text, zone)
		if !ok {
			typed.Faults[field] = v.words.say("claims.filter.date")
		}
		return t
	}
	f := client.Filter{
		Search: typed.Values["q"], State: claim.State(typed.Values["state"]), Cause: claim.Cause(typed.Values["cause"]), Reason: typed.Values["reason"],
		Phase: typed.Values["phase"], Carrier: typed.Values["carrier"], Since: day("from"), Until: day("to"), PageSize: claimsPerPage,
	}
	if !f.Until.IsZero() {
		f.Until = f.Until.AddDate(0, 0, 1) // the day itself belongs to the period
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		typed.Faults["to"] = v.words.say("claims.filter.order")
	}
	return f, typed
}

// claimsCSV downloads all claims that the filters of the list select.
func (v *visit) claimsCSV() error {
	filter, filters := v.claimFilter(v.r.URL.Query())
	if len(filters.Faults) > 0 {
		return errNotFound
	}
	filter.PageSize = 0
	file, err := v.api.OpenClaimsCSV(v.r.Context(), v.session.Shop, filter) //nolint:bodyclose // download closes it
	if err != nil {
		return err
	}
	return v.download(file)
}

// mendAll tries all claims again that are parked for one cause.
func (v *visit) mendAll() error {
	n, err := v.api.RetryShop(v.r.Context(), v.session.Shop, claim.Cause(v.r.PostFormValue("cause")))
	if err != nil {
		return err
	}
	if n == 0 {
		return v.done("claims", "mended.none")
	}
	return v.done("claims", "mended")
}

// openSkipped opens the claims that arrived while Dixa was off.
func (v *visit) openSkipped() error {
	if _, err := v.api.OpenSkipped(v.r.Context(), v.session.Shop, time.Time{}); err != nil {
		return err
	}
	return v.done("claims", "skipped.opened")
}
