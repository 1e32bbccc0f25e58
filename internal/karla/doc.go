// Package karla speaks with Karla (gokarla.io): it verifies the webhooks that
// Karla sends, reads their events, and tells Karla the status of a claim.
//
// What is known of Karla is little and partly old, so everything that comes from
// there is read leniently: unknown members are ignored, missing ones are empty,
// and an event of an unknown kind is an event all the same.
package karla

import "log/slog"

const hidden = "[secret]"

// Secret is a text that formatting and logging hide. Reveal returns it.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret.
func (s Secret) String() string { return hidden }

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return hidden }

// LogValue hides the secret from log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the secret from JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
