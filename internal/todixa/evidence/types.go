package evidence

import (
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// Type is a type of file that can be offered.
type Type string

// The types of files. SVG and HTML are missing because they can carry scripts.
const (
	Image Type = "image"
	PDF   Type = "pdf"
	MP4   Type = "mp4"
	MOV   Type = "mov"
	WebM  Type = "webm"
)

func (t Type) video() bool { return t == MP4 || t == MOV || t == WebM }

// named adapts the name of a candidate, which is called a photo, to the file's type.
func (t Type) named(name string) string {
	word := "photo"
	switch {
	case t == PDF:
		word = "document"
	case t.video():
		word = "video"
	}
	if at := strings.LastIndex(name, "photo-"); at >= 0 {
		return name[:at] + word + strings.TrimPrefix(name[at:], "photo")
	}
	return name
}

// typeOf detects a file's type from its first bytes, with the extension for its
// name. The type is empty if it can never be offered. found is the detected media
// type, such as "text/html".
func typeOf(head []byte) (t Type, ext, found string) {
	kind := mimetype.Detect(head)
	found, _, _ = strings.Cut(kind.String(), ";")
	switch {
	case found == "image/svg+xml":
	case strings.HasPrefix(found, "image/"):
		t = Image
	case found == "application/pdf":
		t = PDF
	case found == "video/quicktime":
		t = MOV
	case found == "video/webm":
		t = WebM
	case found == "video/mp4", found == "video/x-m4v", found == "video/3gpp", found == "video/3gpp2":
		t = MP4
	}
	return t, kind.Extension(), found
}
