package evidence

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"code.dny.dev/ssrf"
)

// Dialer connects only to public addresses; with allowLoopback also to this machine.
// It checks the resolved address that is connected to, so neither a redirect nor a
// changed DNS record evades it. Transports that use it must not use a proxy, which
// would connect where it cannot see.
func Dialer(allowLoopback bool, timeout time.Duration) *net.Dialer {
	guards := []ssrf.Option{ssrf.WithAnyPort(), ssrf.WithNetworks("tcp4", "tcp6")}
	if allowLoopback {
		guards = append(guards,
			ssrf.WithAllowedV4Prefixes(netip.MustParsePrefix("127.0.0.0/8")),
			ssrf.WithAllowedV6Prefixes(netip.MustParsePrefix("::1/128")))
	}
	return &net.Dialer{Timeout: timeout, Control: ssrf.New(guards...).Safe}
}

// CheckRedirect follows up to five redirects to http and https addresses, for
// [net/http.Client].
func CheckRedirect(r *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return errRedirects
	}
	if r.URL.Scheme != "http" && r.URL.Scheme != "https" {
		return errScheme
	}
	return nil
}

// Unreachable says why a file was not reached, without its address.
func Unreachable(err error) string {
	var dns *net.DNSError
	switch {
	case errors.Is(err, ssrf.ErrProhibitedIP), errors.Is(err, ssrf.ErrProhibitedNetwork), errors.Is(err, ssrf.ErrProhibitedPort):
		return "the address is not public"
	case errors.Is(err, errRedirects):
		return errRedirects.Error()
	case errors.Is(err, errScheme):
		return errScheme.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "the server did not respond in time"
	case errors.As(err, &dns):
		return "the host name cannot be resolved"
	default:
		return "the server cannot be reached"
	}
}
