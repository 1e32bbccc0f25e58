package claim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxAnswerDepth is the depth to which answers are flattened. Deeper values are
// stored as JSON text.
const maxAnswerDepth = 5

// answerSeparator separates a question from the member names in its answer.
const answerSeparator = " › "

// readAnswers accepts answers of any shape: shops' and Karla's formats for custom
// questions are unknown, and no format may cause the loss of a claim. The expected
// shapes are a list of {question, answer} or {label, value}, and an object that maps
// questions to answers. A nested value becomes a separate answer under "question ›
// name". The texts of a list become one answer. Object members are read in
// alphabetical order, so the same answers always produce the same claim.
func readAnswers(o object) []Answer {
	raw := o.raw("answers")
	if raw == nil {
		return nil
	}
	var out []Answer
	if raw[0] == '{' {
		members := membersOf(raw)
		for _, name := range slices.Sorted(maps.Keys(members)) {
			flatten(&out, label(name, "?"), members[name], 1)
		}
		return out
	}
	if raw[0] != '[' {
		flatten(&out, "?", raw, 1)
		return out
	}
	var elements []json.RawMessage
	_ = json.Unmarshal(raw, &elements) // cannot fail: the body already parsed as a JSON object
	for i, e := range elements {
		number := fmt.Sprint(i + 1)
		members := membersOf(e)
		question, answer := expected(members)
		if answer == "" {
			flatten(&out, number, e, 1)
			continue
		}
		flatten(&out, question, members[answer], 1)
	}
	return out
}

// expected returns the question and the name of the answer member of a list element.
// Both are empty if the element has another shape.
func expected(members map[string]json.RawMessage) (question, answer string) {
	for _, name := range []string{"label", "question"} {
		if v := bytes.TrimSpace(members[name]); len(v) > 0 && string(v) != "null" {
			if text, ok := scalar(v); ok && text != "" {
				question = text
				continue
			}
			return "", ""
		}
	}
	for _, name := range []string{"value", "answer"} {
		if v, given := members[name]; given && (answer == "" || string(bytes.TrimSpace(v)) != "null") {
			answer = name
		}
	}
	if answer == "" || question == "" {
		return "", ""
	}
	return question, answer
}

// flatten appends an answer and its nested values as flat answers.
func flatten(out *[]Answer, question string, raw json.RawMessage, depth int) {
	raw = bytes.TrimSpace(raw)
	add := func(answer string) { *out = append(*out, Answer{Question: question, Answer: answer}) }
	switch {
	case len(raw) == 0 || string(raw) == "null":
		add("")
	case raw[0] != '{' && raw[0] != '[':
		text, _ := scalar(raw)
		add(text)
	case depth > maxAnswerDepth:
		var flat bytes.Buffer
		_ = json.Compact(&flat, raw) // cannot fail: raw is valid JSON
		add(strings.ReplaceAll(flat.String(), `\u0000`, ""))
	case raw[0] == '{':
		members := membersOf(raw)
		if len(members) == 0 {
			add("")
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			flatten(out, question+answerSeparator+label(name, "?"), members[name], depth+1)
		}
	default:
		flattenList(out, question, raw, depth)
	}
}

// flattenList joins the texts of a list and flattens its other elements.
func flattenList(out *[]Answer, question string, raw json.RawMessage, depth int) {
	var elements []json.RawMessage
	_ = json.Unmarshal(raw, &elements) // cannot fail: raw is valid JSON
	var texts []string
	nested := map[int]json.RawMessage{}
	for i, e := range elements {
		e = bytes.TrimSpace(e)
		if text, ok := scalar(e); !ok {
			nested[i] = e
		} else if text != "" && string(e) != "null" {
			texts = append(texts, text)
		}
	}
	if len(texts) > 0 || len(nested) == 0 {
		*out = append(*out, Answer{Question: question, Answer: strings.Join(texts, ", ")})
	}
	for _, i := range slices.Sorted(maps.Keys(nested)) {
		flatten(out, fmt.Sprintf("%s%s%d", question, answerSeparator, i+1), nested[i], depth+1)
	}
}

func membersOf(raw json.RawMessage) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(raw, &members) // anything but an object has no members
	return members
}

// label returns a name in readable form, or other if the name is empty.
func label(name, other string) string {
	return first(strings.TrimSpace(strings.ReplaceAll(name, "\x00", "")), other)
}
