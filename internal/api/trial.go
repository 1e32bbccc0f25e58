package api

import (
	"context"
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// testAnswers documents both forms of the report of a test.
func testAnswers(r *route) {
	r.document = func(spec huma.API, op *huma.Operation) {
		op.Responses["200"].Content = map[string]*huma.MediaType{
			"application/json": {Schema: spec.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[claim.Report](), true, "Report")},
			typeNDJSON:         {Schema: &huma.Schema{Type: "string"}},
		}
	}
}

type testInput struct {
	InShop
	Accept string `header:"Accept" hidden:"true"`
	Body   client.TestRequest
}

func (a *api) test(ctx context.Context, in *testInput) (*streamOutput, error) {
	if err := a.writable(ctx, in.Shop); err != nil {
		return nil, err
	}
	trial, err := a.Onboarding.NewTrial(ctx, in.Shop, in.Body.AgentID)
	if err != nil {
		return nil, err
	}
	run := func(each func(claim.Check)) claim.Report {
		report := trial.Run(ctx, in.Body.Email, each)
		if report.ConversationID != 0 {
			recordChange(ctx, "conversation_id", number(report.ConversationID))
		}
		return report
	}
	if format("", in.Accept) != client.FormatNDJSON {
		return writeJSON(run(nil))
	}
	return &streamOutput{Body: func(out huma.Context) {
		out.SetHeader("Content-Type", typeNDJSON)
		out.SetHeader("X-Accel-Buffering", "no")
		w := newPatientWriter(out)
		// The test goes on if the caller has disconnected: it closes its conversation.
		w.flush()
		line := func(v any) {
			if data, err := json.Marshal(v); err == nil {
				_, _ = w.Write(append(data, '\n'))
				w.flush()
			}
		}
		line(run(func(c claim.Check) { line(c) }))
	}}, nil
}

// flush sends what was written so far.
func (w *patientWriter) flush() {
	if w.control != nil {
		_ = w.control.Flush() // the caller may have disconnected
	}
}
