// Package mailtest provides a mail server for tests.
package mailtest

import (
	"bufio"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/textproto"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Message is a message that the server accepted.
type Message struct {
	From, To string
	Header   mail.Header
	Body     string
}

// Server is an SMTP server on the loopback interface that stores the messages it
// accepts. It does not support TLS.
type Server struct {
	t        *testing.T
	listener net.Listener

	mu       sync.Mutex
	messages []Message
	replies  map[string][]string
}

// New starts a server that stops when the test ends.
func New(t *testing.T) *Server {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &Server{t: t, listener: listener, replies: map[string][]string{}}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	return s
}

// URL returns the server's address for mail.Parse.
func (s *Server) URL() string {
	return "smtp://" + s.listener.Addr().String() + "?tls=none&from=Claimflow%20%3Cclaims@claimflow.example%3E"
}

// Answer makes the server answer a command, such as "RCPT", or "." for the end of a
// message, with the given replies, each once, instead of accepting it. An empty
// reply closes the connection.
func (s *Server) Answer(command string, replies ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies[command] = append(s.replies[command], replies...)
}

// Messages returns the messages that the server accepted.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.messages...)
}

func (s *Server) reply(command, usual string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if waiting := s.replies[command]; len(waiting) > 0 {
		s.replies[command] = waiting[1:]
		return waiting[0]
	}
	return usual
}

func (s *Server) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	text := textproto.NewReader(bufio.NewReader(conn))
	say := func(reply string) bool {
		if reply == "" {
			return false
		}
		_, err := fmt.Fprintf(conn, "%s\r\n", reply)
		return err == nil
	}
	if !say(s.reply("CONNECT", "220 mailtest ESMTP")) {
		return
	}
	var m Message
	for {
		line, err := text.ReadLine()
		if err != nil {
			return
		}
		command, rest, _ := strings.Cut(line, " ")
		command = strings.ToUpper(command)
		usual := "250 fine"
		switch command {
		case "MAIL":
			m = Message{From: address(rest)}
		case "RCPT":
			m.To = address(rest)
		case "DATA":
			usual = "354 go on"
		case "QUIT":
			usual = "221 farewell"
		}
		reply := s.reply(command, usual)
		if !say(reply) || command == "QUIT" {
			return
		}
		if command == "DATA" && strings.HasPrefix(reply, "354") && !s.take(text, m, say) {
			return
		}
	}
}

// take reads a message to its end.
func (s *Server) take(text *textproto.Reader, m Message, say func(string) bool) bool {
	data, err := text.ReadDotBytes()
	if err != nil {
		return false
	}
	read, err := mail.ReadMessage(strings.NewReader(string(data)))
	if err != nil {
		s.t.Errorf("what came is no message: %v", err)
		return false
	}
	content := read.Body
	if read.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		content = quotedprintable.NewReader(content)
	}
	body, err := io.ReadAll(content)
	if err != nil {
		s.t.Errorf("read a message: %v", err)
		return false
	}
	m.Header, m.Body = read.Header, string(body)
	reply := s.reply(".", "250 taken")
	if strings.HasPrefix(reply, "250") {
		s.mu.Lock()
		s.messages = append(s.messages, m)
		s.mu.Unlock()
	}
	return say(reply)
}

// address returns the text in angle brackets.
func address(parameters string) string {
	_, rest, _ := strings.Cut(parameters, "<")
	inner, _, _ := strings.Cut(rest, ">")
	return inner
}
