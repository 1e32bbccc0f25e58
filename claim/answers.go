package claim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxAnswerDepth is how deep answers are taken apart. What lies deeper is kept as
// its JSON text.
const maxAnswerDepth = 5

// within joins the question and the names of what lies in its answer.
const within = " › "

// readAnswers takes answers of any shape: how shops and Karla write those to
// questions of their own is not known, and none may lose a claim. A list of
// {question, answer} or {label, value}, and an object of answers by question, are
// the shapes that are expected. Whatever lies in an answer becomes an answer of
// its own under "question › name"; texts in a list become one. Objects are read in
// the order of their members' letters, so that the same answers are the same
// claim.
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
	_ = json.Unmarshal(raw, &elements) // the body was one JSON object
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

// expected finds a question and the member with its answer in an element of a
// list; both are empty where it is of another shape.
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

// flatten adds an answer, and what lies in it, as flat answers.
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
		_ = json.Compact(&flat, raw) // it is JSON already
		add(strings.ReplaceAll(flat.String(), `\u0000`, ""))
	case raw[0] == '{':
		members := membersOf(raw)
		if len(members) == 0 {
			add("")
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			flatten(out, question+within+label(name, "?"), members[name], depth+1)
		}
	default:
		flattenList(out, question, raw, depth)
	}
}

// flattenList joins the texts of a list and takes apart what else is in it.
func flattenList(out *[]Answer, question string, raw json.RawMessage, depth int) {
	var elements []json.RawMessage
	_ = json.Unmarshal(raw, &elements) // it is JSON already
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
		flatten(out, fmt.Sprintf("%s%s%d", question, within, i+1), nested[i], depth+1)
	}
}

func membersOf(raw json.RawMessage) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(raw, &members) // what is no object has none
	return members
}

// label is a name as people read it; other where there is none.
func label(name, other string) string {
	return first(strings.TrimSpace(strings.ReplaceAll(name, "\x00", "")), other)
}
