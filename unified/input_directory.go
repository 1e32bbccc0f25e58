package unified

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/claimflow/claimflow/dixa"
)

func indexed(name string, i int) string { return fmt.Sprintf("%s[%d]", name, i) }

var tagColor = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

func createTag(in *input, _ string) []Step {
	input := dixa.TagInput{Name: in.required("name"), Color: in.text("color")}
	if input.Color != "" && !tagColor.MatchString(input.Color) {
		in.fault("color", `must have the form "#00aaff"`)
	}
	status := in.tagStatus()
	in.cannot("Dixa's tags have none.", "parent", "workspace")
	in.remote(&input)
	steps := []Step{CreateTag{input}}
	if status != "" {
		steps = append(steps, SetTagActive{Active: status == StatusActive})
	}
	return steps
}

func updateTag(in *input, id string) []Step {
	in.cannot("Dixa has no operation that renames or colors a tag.", "name", "color")
	in.cannot("Dixa's tags have none.", "parent", "workspace")
	in.ignore("created_at", "updated_at", "etag", "remote_data")
	status := in.tagStatus()
	if status == "" {
		return nil
	}
	return []Step{SetTagActive{id, status == StatusActive}}
}

func (in *input) tagStatus() string {
	status := in.text("status")
	if status != "" && status != StatusActive && status != StatusInactive {
		in.fault("status", "must be active or inactive")
	}
	return status
}

func deleteTag(_ *input, id string) []Step { return []Step{DeleteTag{id}} }

func createTeam(in *input, _ string) []Step {
	steps := []Step{CreateTeam{in.required("name")}}
	in.teamKind()
	if members, ok := in.membership("", false); ok {
		steps = append(steps, members)
	}
	return steps
}

func updateTeam(in *input, id string) []Step {
	in.cannot("Dixa has no operation that renames a team.", "name")
	in.teamKind()
	in.ignore("created_at", "updated_at", "etag", "remote_data")
	if members, ok := in.membership(id, false); ok {
		return []Step{members}
	}
	return nil
}

func deleteTeam(_ *input, id string) []Step { return []Step{DeleteTeam{id}} }

// teamKind reads what a team has in the user directory.
func (in *input) teamKind() {
	for _, name := range []string{"type", "group_type"} {
		if kind := in.text(name); kind != "" && kind != "team" {
			in.fault(name, "must be team")
		}
	}
	in.cannot("Dixa's teams have none.", "description", "organization")
}

// membership reads changes of the members of a team or queue: user_ids is the whole list,
// add_user_ids and remove_user_ids change it.
func (in *input) membership(id string, queue bool) (m ChangeMembers, given bool) {
	m = ChangeMembers{ID: id, Queue: queue}
	m.All, m.Whole = in.texts("user_ids")
	var adds, removes bool
	m.Add, adds = in.texts("add_user_ids")
	m.Remove, removes = in.texts("remove_user_ids")
	if m.Whole && (adds || removes) {
		in.fault("user_ids", "must not be combined with add_user_ids or remove_user_ids")
	}
	for _, user := range m.Add {
		if slices.Contains(m.Remove, user) {
			in.fault("add_user_ids", "and remove_user_ids must not have the same user")
			break
		}
	}
	return m, m.Whole || len(m.Add)+len(m.Remove) > 0
}

// createQueue reads a queue. Dixa's settings of it are in remote_data.
func createQueue(in *input, _ string) []Step {
	input := dixa.QueueInput{Name: in.required("name")}
	in.queueKind()
	in.remote(&input)
	steps := []Step{CreateQueue{input}}
	if members, ok := in.membership("", true); ok {
		steps = append(steps, members)
	}
	return steps
}

func updateQueue(in *input, id string) []Step {
	in.cannot("Dixa has no operation that changes a queue other than its members.", "name")
	in.queueKind()
	in.ignore("created_at", "updated_at", "etag", "remote_data")
	if members, ok := in.membership(id, true); ok {
		return []Step{members}
	}
	return nil
}

func (in *input) queueKind() {
	switch kind := in.text("type"); kind {
	case "", CollectionQueue:
	case CollectionEndpoint:
		in.found.unsupported.add("type", "Dixa has no operation that creates or changes contact endpoints. Do it in Dixa, under Settings.")
	default:
		in.fault("type", "must be %s", CollectionQueue)
	}
	if entity := in.text("entity_type"); entity != "" && entity != "ticket" {
		in.fault("entity_type", "must be ticket")
	}
	in.cannot("Dixa's queues have none.", "description", "parent_collection_id", "workspace", "urls")
}
