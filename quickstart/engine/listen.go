package engine

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"go.temporal.io/server/common/testing/freeport"
)

// ListenError reports that an address given in [Options] cannot be listened on,
// usually because another process uses it.
type ListenError struct {
	// Server is the server that cannot listen: "Temporal" or "the Temporal UI".
	Server string
	// Address is the address as given.
	Address string
	// Flag is the command-line flag that sets another address; empty if [Options]
	// names none.
	Flag string
	// Err is the operating system's error.
	Err error
}

func (e *ListenError) Error() string {
	msg := fmt.Sprintf("%s cannot listen on %s: %v; ", e.Server, e.Address, e.Err)
	advice, other := "stop the process that uses the address", ", or choose another address with "
	if _, malformed := errors.AsType[*net.AddrError](e.Err); malformed {
		advice, other = "the address must be HOST:PORT, such as 127.0.0.1:8080", "; set it with "
	}
	msg += advice
	if e.Flag != "" {
		msg += other + e.Flag
	}
	return msg
}

func (e *ListenError) Unwrap() error { return e.Err }

// reserveAddress resolves address, replaces port 0 with a free port, and verifies that
// it can be listened on. The servers open their own listeners, so the address is
// free again on return.
func reserveAddress(server, address, flag string) (*net.TCPAddr, error) {
	fail := func(err error) (*net.TCPAddr, error) {
		return nil, &ListenError{Server: server, Address: address, Flag: flag, Err: err}
	}
	addr, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return fail(err)
	}
	if addr.IP == nil {
		addr.IP = net.IPv4zero
	}
	if addr.Port == 0 {
		addr.Port = freeport.MustGetFreePort()
	}
	l, err := net.ListenTCP("tcp", addr)
	if err != nil {
		return fail(err)
	}
	if err := l.Close(); err != nil {
		return fail(err)
	}
	return addr, nil
}

// dialAddress returns the host and port to reach addr from this machine.
func dialAddress(addr *net.TCPAddr) string {
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = loopback
	}
	return net.JoinHostPort(host, strconv.Itoa(addr.Port))
}

func internalPorts() (ports [internalServices]int) {
	for i := range ports {
		ports[i] = freeport.MustGetFreePort()
	}
	return ports
}
