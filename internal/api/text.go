package api

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/charset"
)

// textual converts request bodies to UTF-8 before handlers read them. It rejects a
// body that is invalid in the charset of its Content-Type, or in UTF-8 if none is
// named, because a JSON parser would silently replace invalid bytes.
func (a *api) textual(spec huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		op := ctx.Operation()
		if op.RequestBody == nil {
			next(ctx)
			return
		}
		if op.BodyReadTimeout > 0 {
			_ = ctx.SetReadDeadline(time.Now().Add(op.BodyReadTimeout)) // not every connection supports deadlines
		}
		body, err := io.ReadAll(io.LimitReader(ctx.BodyReader(), op.MaxBodyBytes+1))
		if err != nil || int64(len(body)) > op.MaxBodyBytes {
			// The router reports the error.
			next(withBody{ctx, io.MultiReader(bytes.NewReader(body), failing{err}, ctx.BodyReader())})
			return
		}
		text, err := charset.UTF8(body, ctx.Header("Content-Type"))
		if err != nil {
			p := newProblem(http.StatusBadRequest, "", "The body is not valid text.")
			if errors.Is(err, charset.ErrUnknown) {
				p = newProblem(http.StatusUnsupportedMediaType, client.CodeInvalid, "The body cannot be read: "+err.Error()+". Send UTF-8.")
			} else {
				p.Errors = []client.FieldError{{Field: "body", Message: err.Error()}}
			}
			p.Instance = requestID(ctx.Context())
			_ = huma.WriteErr(spec, ctx, p.Status, p.Detail, p) // the caller may have disconnected
			return
		}
		next(withBody{ctx, bytes.NewReader(text)})
	}
}

// withBody is a request with another body.
type withBody struct {
	humaContext
	body io.Reader
}

type humaContext huma.Context

// BodyReader implements huma.Context.
func (c withBody) BodyReader() io.Reader { return c.body }

// Header implements huma.Context. It drops the charset because the body is UTF-8.
func (c withBody) Header(name string) string {
	value := c.humaContext.Header(name)
	if strings.EqualFold(name, "Content-Type") {
		value, _, _ = strings.Cut(value, ";")
	}
	return value
}

// Unwrap gives the router access to its own context.
func (c withBody) Unwrap() huma.Context { return c.humaContext }

// failing is a reader that returns err, or io.EOF if err is nil.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err == nil {
		return 0, io.EOF
	}
	return 0, f.err
}
