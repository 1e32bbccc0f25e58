package api

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/toowner/files"
)

type attachmentInput struct {
	InClaim
	Message    string `path:"message" doc:"The id of the message."`
	Attachment string `path:"attachment" doc:"The id of the file within its message."`
}

type attachmentOutput struct {
	Body func(huma.Context)
}

// attachmentAnswers documents that the response is the unmodified file.
func attachmentAnswers(r *route) {
	r.document = func(_ huma.API, op *huma.Operation) {
		op.Responses["200"].Content = map[string]*huma.MediaType{
			"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}},
		}
	}
}

func (a *api) getAttachment(ctx context.Context, in *attachmentInput) (*attachmentOutput, error) {
	if a.Files == nil {
		return nil, newProblem(http.StatusBadGateway, client.CodeDixaUnreachable, "Downloads of message files are not configured on this service.")
	}
	file, err := a.Files.Open(ctx, in.ref(), in.Message, in.Attachment)
	var refused *files.FetchError
	switch {
	case errors.As(err, &refused):
		return nil, fileProblem(refused)
	case err != nil:
		return nil, err
	}
	return &attachmentOutput{Body: func(out huma.Context) { send(ctx, file, out.SetHeader, out.BodyWriter()) }}, nil
}

func fileProblem(e *files.FetchError) *Problem {
	status, code := http.StatusBadGateway, client.CodeDixaUnreachable
	switch e.Reason {
	case files.Gone:
		status, code = http.StatusNotFound, client.CodeNotFound
	case files.TokenRefused:
		status, code = http.StatusConflict, client.CodeNotConnected
	case files.TooLarge, files.Unreachable:
	}
	return newProblem(status, code, sentence(e.Error())+".")
}

// send streams a file. Its name and type are untrusted, so the headers make a
// browser save it, trust the declared type and execute nothing. An error after the
// first byte aborts the connection, so that a partial file never passes for a
// complete one.
func send(ctx context.Context, file *files.File, header func(name, value string), to io.Writer) {
	defer func() { _ = file.Body.Close() }() // the body was read to the end or abandoned
	header("Content-Type", file.Type)
	header("Content-Disposition", disposition(file.Name))
	header("X-Content-Type-Options", "nosniff")
	header("Content-Security-Policy", "default-src 'none'; sandbox")
	header("Cache-Control", "private, no-store")
	if file.Size >= 0 {
		header("Content-Length", strconv.FormatInt(file.Size, 10))
	}
	if _, err := io.Copy(to, file.Body); err != nil {
		note(ctx, err)
		panic(http.ErrAbortHandler)
	}
}

// disposition returns the Content-Disposition that saves a file under its name (RFC
// 6266). It neutralizes anything in the name that could act as a folder.
func disposition(name string) string {
	const attachment = "attachment"
	name = strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, name)
	if name = strings.Trim(name, ". "); name == "" {
		return attachment
	}
	if formatted := mime.FormatMediaType(attachment, map[string]string{"filename": name}); formatted != "" {
		return formatted
	}
	return attachment
}
