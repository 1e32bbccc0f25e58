package dixa

import "log/slog"

const hiddenSecret = "[secret]"

// Secret is a string that formatting and logging hide. JSON encodes it in plain
// text, and Reveal returns it.
type Secret string

// Reveal returns the secret in plain text.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret.
func (s Secret) String() string { return hiddenSecret }

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return hiddenSecret }

// LogValue hides the secret from log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hiddenSecret) }
