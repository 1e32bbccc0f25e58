package delivery

import (
	"context"
	"errors"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"code.dny.dev/ssrf"
)

// Guard decides which addresses may receive events.
type Guard struct {
	guardian     *ssrf.Guardian
	allowPrivate bool
}

// maxURL bounds an endpoint's address, in bytes.
const maxURL = 2000

// mailto begins the address of an endpoint of kind email (RFC 6068).
const mailto = "mailto:"

// Mailto returns the address of an email endpoint: mailto: and an email address.
// The mailto: may be omitted from the input. The error describes the problem in
// words that follow the field's name.
func Mailto(address string) (string, error) {
	plain := strings.TrimPrefix(strings.TrimSpace(address), mailto)
	parsed, err := mail.ParseAddress(plain)
	if err != nil || parsed.Address != plain || len(address) > maxURL {
		return "", errors.New("must be one email address, such as mailto:staff@shop.example; add an endpoint for each person")
	}
	return mailto + plain, nil
}

// NewGuard creates a guard. With allowPrivate it also accepts addresses of this
// machine and of private networks, and plain http.
func NewGuard(allowPrivate bool) *Guard {
	options := []ssrf.Option{ssrf.WithAnyPort(), ssrf.WithNetworks("tcp4", "tcp6")}
	if allowPrivate {
		options = append(options,
			ssrf.WithAllowedV4Prefixes(netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"),
				netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16")),
			ssrf.WithAllowedV6Prefixes(netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fc00::/7")))
	}
	return &Guard{guardian: ssrf.New(options...), allowPrivate: allowPrivate}
}

// Check describes what is wrong with an endpoint's address, in words that follow the
// field's name. It accepts a name that does not resolve now: every attempt checks
// again.
func (g *Guard) Check(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || len(address) > maxURL || (u.Scheme != "https" && u.Scheme != "http"):
		return errors.New("must be a URL such as https://shop.example/claimflow")
	case u.User != nil:
		return errors.New("must not contain a user name or password: the signature authenticates the sender")
	case u.Fragment != "":
		return errors.New("must not have a fragment")
	case u.Scheme == "http" && !g.allowPrivate:
		return errors.New("must start with https://")
	}
	host := strings.TrimSuffix(u.Hostname(), ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		return g.check(ip)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil // every attempt resolves again and guards the connection itself
	}
	for _, ip := range found {
		if err := g.check(ip); err != nil {
			return err
		}
	}
	return nil
}

func (g *Guard) check(ip netip.Addr) error {
	ip = ip.Unmap().WithZone("")
	network := "tcp6"
	if ip.Is4() {
		network = "tcp4"
	}
	if g.guardian.Safe(network, netip.AddrPortFrom(ip, 443).String(), nil) != nil {
		return errors.New("resolves to a non-public address; set CLAIMFLOW_ALLOW_PRIVATE_ENDPOINTS=true to allow private addresses")
	}
	return nil
}

// refused reports whether the guard prevented a connection.
func refused(err error) bool {
	return errors.Is(err, ssrf.ErrProhibitedIP) || errors.Is(err, ssrf.ErrProhibitedNetwork) || errors.Is(err, ssrf.ErrProhibitedPort)
}
