package subscription

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// ReachabilityWarning explains why Dixa, on the internet, probably cannot reach the public
// address, or not safely. It is empty if there is no concern. It does no DNS
// lookups.
func (s *Service) ReachabilityWarning() string {
	u, err := url.Parse(s.public)
	if err != nil || u.Hostname() == "" {
		return "CLAIMFLOW_PUBLIC_URL is not a valid URL, so Dixa cannot send events to it"
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	switch {
	case private(host):
		return fmt.Sprintf("CLAIMFLOW_PUBLIC_URL is %s, which is reachable only from this network: Dixa cannot deliver events to it, unless Dixa is a local emulator", s.public)
	case u.Scheme != "https":
		return fmt.Sprintf("CLAIMFLOW_PUBLIC_URL is %s: Dixa's events contain customer data and would be sent unencrypted; use https", s.public)
	default:
		return ""
	}
}

// private reports whether the internet cannot reach a host: an address that is not
// global, a name without a dot, or one below a reserved domain (RFC 6761, RFC 6762,
// RFC 8375 and ICANN's "internal").
func private(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return !ip.IsGlobalUnicast() || ip.IsPrivate()
	}
	if !strings.Contains(host, ".") {
		return true
	}
	for _, domain := range []string{".localhost", ".local", ".internal", ".test", ".invalid", ".home.arpa"} {
		if strings.HasSuffix(host, domain) {
			return true
		}
	}
	return false
}
