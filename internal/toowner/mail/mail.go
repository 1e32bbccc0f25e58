// Package mail sends plain emails to staff through one SMTP server.
package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Server is an SMTP server (RFC 5321, RFC 6409) to send through. Create one with
// [Parse].
type Server struct {
	host    string
	from    *netmail.Address
	options []gomail.Option
	dial    gomail.DialContextFunc
}

// Parse parses the address of a server:
//
//	smtp://user:password@mail.example:587?from=Claimflow%20<claims@acme.example>
//
// smtp requires STARTTLS (port 587 unless given); smtps uses TLS from the start
// (465). Credentials are optional. With tls=none in the query, nothing is encrypted
// (port 25) and credentials are rejected. from is required: an address, with or
// without a name. The error never contains any part of the address.
func Parse(address string) (*Server, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || (u.Scheme != "smtp" && u.Scheme != "smtps") {
		return nil, errors.New("must be a URL such as smtp://user:password@mail.example:587?from=claims@acme.example; percent-encode special characters in the password")
	}
	query := u.Query()
	from, err := netmail.ParseAddress(query.Get("from"))
	if err != nil {
		return nil, errors.New("has no sender: add ?from= with an email address")
	}
	port, encryption := 587, []gomail.Option{gomail.WithTLSPolicy(gomail.TLSMandatory)}
	switch encrypt := query.Get("tls"); {
	case encrypt != "" && encrypt != "none", encrypt == "none" && u.Scheme == "smtps":
		return nil, errors.New("has an invalid tls value: only tls=none is allowed, and only with smtp://")
	case encrypt == "none" && u.User != nil:
		return nil, errors.New("has a password, which tls=none would send unencrypted")
	case encrypt == "none":
		port, encryption = 25, []gomail.Option{gomail.WithTLSPolicy(gomail.NoTLS)}
	case u.Scheme == "smtps":
		port, encryption = 465, []gomail.Option{gomail.WithSSL()}
	}
	if text := u.Port(); text != "" {
		if port, err = strconv.Atoi(text); err != nil || port < 1 || port > 65535 {
			return nil, errors.New("has an invalid port: must be between 1 and 65535")
		}
	}
	s := &Server{host: u.Hostname(), from: from, options: append(encryption, gomail.WithPort(port)), dial: new(net.Dialer).DialContext}
	if u.Scheme == "smtps" {
		s.dial = (&tls.Dialer{Config: &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12}}).DialContext
	}
	if u.User != nil {
		password, _ := u.User.Password()
		s.options = append(s.options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover),
			gomail.WithUsername(u.User.Username()), gomail.WithPassword(password))
	}
	return s, nil
}

// String names the server without credentials.
func (s *Server) String() string { return "SMTP server " + s.host }

// GoString hides the credentials from %#v.
func (s *Server) GoString() string { return s.String() }

// Message is a plain-text email to one person.
type Message struct {
	// ID forms the Message-ID. It is the same for the same message, so that
	// duplicates can be detected.
	ID            string
	To            string
	Subject, Text string
	// At is the message's date.
	At time.Time
}

// Error says why a message was not accepted. It contains neither the server's words
// nor an address.
type Error struct {
	// Code is the server's reply code (RFC 5321, 4.2); zero if it gave none.
	Code int
	// Final says that the server will never accept a message to this address.
	Final   bool
	problem string
}

func (e *Error) Error() string { return e.problem }

// Send submits a message to the server within timeout. A failure is an [*Error]. If
// the connection broke, the message may have been accepted anyway.
func (s *Server) Send(ctx context.Context, l Message, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	m.FromMailAddress(s.from)
	if m.To(l.To) != nil {
		return &Error{Final: true, problem: "the address is not a valid email address"}
	}
	m.SetMessageIDWithValue(l.ID + s.from.Address[strings.LastIndex(s.from.Address, "@"):])
	m.SetDateWithValue(l.At)
	// Automatic replies are unwanted (RFC 3834).
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.Subject(line(l.Subject))
	m.SetBodyString(gomail.TypeTextPlain, l.Text)
	// The library leaves a connection open if the session fails to start.
	var open net.Conn
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		var err error
		open, err = s.dial(ctx, network, address)
		return open, err
	}
	defer func() {
		if open != nil {
			_ = open.Close() // it may be closed already
		}
	}()
	options := append([]gomail.Option{gomail.WithTimeout(timeout), gomail.WithDialContextFunc(dial)}, s.options...)
	client, err := gomail.NewClient(s.host, options...)
	if err != nil {
		return &Error{problem: "the mail server settings are not valid"}
	}
	err = client.DialAndSendWithContext(ctx, m)
	if err == nil || m.IsDelivered() {
		return nil
	}
	return inWords(err)
}

func inWords(err error) *Error {
	var refused *gomail.SendError
	var reply *textproto.Error
	var dns *net.DNSError
	var network net.Error
	switch {
	case errors.As(err, &refused) && refused.Reason == gomail.ErrSMTPRcptTo && refused.ErrorCode() != 0:
		return &Error{
			Code: refused.ErrorCode(), Final: !refused.IsTemp(),
			problem: fmt.Sprintf("the mail server rejected the recipient (%d)", refused.ErrorCode()),
		}
	case errors.As(err, &refused) && refused.ErrorCode() != 0:
		return &Error{Code: refused.ErrorCode(), problem: fmt.Sprintf("the mail server rejected the email (%d)", refused.ErrorCode())}
	case errors.As(err, &reply):
		return &Error{Code: reply.Code, problem: fmt.Sprintf("the mail server rejected the connection or login (%d); check CLAIMFLOW_SMTP_URL", reply.Code)}
	case errors.As(err, &dns):
		return &Error{problem: "the mail server's host name cannot be resolved; check CLAIMFLOW_SMTP_URL"}
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return &Error{problem: "the mail server did not respond in time"}
	default:
		return &Error{problem: "the mail server could not be reached, does not support TLS, or closed the connection"}
	}
}

// line collapses a text into one line, as a header requires.
func line(text string) string { return strings.Join(strings.Fields(text), " ") }
