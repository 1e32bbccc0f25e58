package mail_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/integration/mailtest"
	"github.com/claimflow/claimflow/internal/toowner/mail"
)

var message = mail.Message{
	ID: "msg_1", To: "staff@acme.example", Subject: "acme: claim\r\nBcc: all@evil.example", Text: "Zwölf Vasen.\n\n.\nThe end\n",
	At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
}

func parse(t *testing.T, address string) *mail.Server {
	t.Helper()
	s, err := mail.Parse(address)
	require.NoError(t, err)
	return s
}

func TestSend(t *testing.T) {
	t.Parallel()
	server := mailtest.New(t)
	require.NoError(t, parse(t, server.URL()).Send(t.Context(), message, time.Minute))
	got := server.Messages()
	require.Len(t, got, 1)
	m := got[0]
	require.Equal(t, "claims@claimflow.example", m.From)
	require.Equal(t, "staff@acme.example", m.To)
	require.Equal(t, "acme: claim Bcc: all@evil.example", m.Header.Get("Subject"))
	require.Empty(t, m.Header.Get("Bcc"))
	require.Equal(t, "<msg_1@claimflow.example>", m.Header.Get("Message-Id"))
	require.Equal(t, "auto-generated", m.Header.Get("Auto-Submitted"))
	require.Contains(t, m.Header.Get("From"), "Claimflow")
	date, err := m.Header.Date()
	require.NoError(t, err)
	require.True(t, date.Equal(message.At))
	require.Equal(t, message.Text, strings.ReplaceAll(m.Body, "\r\n", "\n"))
}

func TestSendRejections(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		command, reply string
		code           int
		final          bool
	}{
		"unknown mailbox":                  {"RCPT", "550 5.1.1 <staff@acme.example> unknown", 550, true},
		"greylisted":                       {"RCPT", "451 4.7.1 later", 451, false},
		"sender rejected":                  {"MAIL", "550 5.7.1 not you", 550, false},
		"content rejected":                 {".", "554 spam", 554, false},
		"full":                             {".", "452 no room", 452, false},
		"busy":                             {"CONNECT", "421 too many", 421, false},
		"connection closed":                {"MAIL", "", 0, false},
		"connection closed at start":       {"CONNECT", "", 0, false},
		"connection closed after the data": {".", "", 0, false},
		"not an SMTP server":               {"CONNECT", "HTTP/1.1 400 Bad Request", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.New(t)
			server.Answer(test.command, test.reply)
			s := parse(t, server.URL())
			err := s.Send(t.Context(), message, time.Minute)
			var refused *mail.Error
			require.ErrorAs(t, err, &refused)
			require.Equal(t, test.code, refused.Code)
			require.Equal(t, test.final, refused.Final)
			require.NotContains(t, err.Error(), "acme.example")
			require.NoError(t, s.Send(t.Context(), message, time.Minute), "the next attempt must succeed")
			require.Len(t, server.Messages(), 1)
		})
	}
}

// A server that accepts a message and then drops the connection has the message.
func TestAcceptedMailSurvivesConnectionLoss(t *testing.T) {
	t.Parallel()
	server := mailtest.New(t)
	server.Answer("RSET", "")
	server.Answer("QUIT", "")
	require.NoError(t, parse(t, server.URL()).Send(t.Context(), message, time.Minute))
	require.Len(t, server.Messages(), 1)
}

func TestUnreachableServer(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close() // accepts connections and never sends anything
	err = parse(t, "smtp://"+l.Addr().String()+"?tls=none&from=a@b.example").Send(t.Context(), message, 100*time.Millisecond)
	require.ErrorContains(t, err, "in time")
	require.NoError(t, l.Close())
	err = parse(t, "smtp://"+l.Addr().String()+"?tls=none&from=a@b.example").Send(t.Context(), message, time.Minute)
	require.ErrorContains(t, err, "could not be reached")
}

// The default is to reject connections without TLS, which would expose the password.
func TestPasswordIsNotSentWithoutTLS(t *testing.T) {
	t.Parallel()
	server := mailtest.New(t)
	address := strings.Replace(strings.Replace(server.URL(), "tls=none&", "", 1), "smtp://", "smtp://user:hunter2@", 1)
	err := parse(t, address).Send(t.Context(), message, time.Minute)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hunter2")
	require.Empty(t, server.Messages())
}

func TestParse(t *testing.T) {
	t.Parallel()
	for address, problem := range map[string]string{
		"smtp://user:hunter2@mail.example:587?from=a@b.example":        "",
		"smtps://user:hunter2@mail.example?from=A%20%3Ca@b.example%3E": "",
		"smtp://mail.example?tls=none&from=a@b.example":                "",
		"":                               "must be a URL",
		"mail.example:587":               "must be a URL",
		"https://mail.example":           "must be a URL",
		"smtp://user:hunter2@":           "must be a URL",
		"smtp://user:hun%ter2@mail:587":  "must be a URL",
		"smtp://user:hunter2@mail":       "has no sender",
		"smtp://mail?from=hunter2":       "has no sender",
		"smtp://mail:0?from=a@b.example": "port",
		"smtp://user:hunter2@mail?tls=none&from=a@b.example": "unencrypted",
		"smtp://mail?tls=maybe&from=a@b.example":             "only tls=none",
		"smtps://mail?tls=none&from=a@b.example":             "only tls=none",
	} {
		s, err := mail.Parse(address)
		if problem == "" {
			require.NoError(t, err, address)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", s, s, s), "hunter2")
			continue
		}
		require.ErrorContains(t, err, problem, address)
		require.NotContains(t, err.Error(), "hunter2")
	}
}
