package server

import (
	"bytes"
	"cmp"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
)

// Limits of the upload of images, in files and in the megabytes of the switch megabytes.
const (
	maxImages      = 5
	maxImageMB     = 4
	maxImageFormMB = 10
)

// imageTypes are the accepted types and the endings of their URLs.
var imageTypes = map[string]string{"image/gif": ".gif", "image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}

type imageBody struct {
	Name string `json:"originalFilename"`
	URL  string `json:"url"`
}

type imageError struct {
	Name    string `json:"originalFilename"`
	Message string `json:"message"`
	Code    int    `json:"code"`
}

// uploadImages stores the files of a multipart form. Those that fail do not affect the
// others. GET /files/images/... serves them without credentials.
func (s *Server) uploadImages(c *call) (reply, error) {
	switches := c.switches.Knowledge
	megabyte := 1 << 20
	if switches.Megabytes == "decimal" {
		megabyte = 1_000_000
	}
	if len(c.body) > maxImageFormMB*megabyte {
		return overlong(route{upload: true}, c.switches), nil
	}
	files, err := c.formFiles()
	if err != nil {
		return reply{}, err
	}
	if len(files) == 0 && switches.NoFiles == Rejected || len(files) > maxImages && switches.TooManyFiles == Rejected {
		return reply{}, bad(messageInvalid)
	}
	stored, failed := []imageBody{}, []imageError{}
	for i, file := range files {
		body, err := fileContent(file)
		if err != nil {
			return reply{}, bad(messageDecoding)
		}
		kind, _, err := mime.ParseMediaType(cmp.Or(file.Header.Get("Content-Type"), "application/octet-stream"))
		if err != nil || switches.FileTypes == "sniffed" {
			kind, _, _ = mime.ParseMediaType(http.DetectContentType(body))
		}
		problem := imageError{file.Filename, "", http.StatusBadRequest}
		switch {
		case imageTypes[kind] == "":
			allowed := slices.Sorted(maps.Keys(imageTypes))
			problem.Message = "Unsupported MIME type '" + kind + "'. Allowed: " + strings.Join(allowed, ", ")
		case len(body) > maxImageMB*megabyte:
			problem.Message = "File exceeds 4 MB size limit"
		case i >= maxImages:
			problem.Message = "Too many files"
		case switches.FailedUploads > 0 && s.chance.Float64() < switches.FailedUploads:
			problem.Message, problem.Code = "Upload failed due to unexpected error", http.StatusInternalServerError
		default:
			stored = append(stored, s.storeImage(c, file.Filename, kind, body))
			continue
		}
		failed = append(failed, problem)
	}
	if len(failed) > 0 && len(stored) == 0 && switches.AllFailed == Rejected {
		return reply{}, bad(messageInvalid)
	}
	return reply{status: http.StatusOK, body: struct {
		Data   []imageBody  `json:"data"`
		Errors []imageError `json:"partialErrors"`
	}{stored, failed}}, nil
}

// formFiles returns the files of the form's field "files".
func (c *call) formFiles() ([]*multipart.FileHeader, error) {
	kind, parameters, err := mime.ParseMediaType(c.request.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || parameters["boundary"] == "" {
		return nil, bad(messageDecoding)
	}
	form, err := multipart.NewReader(bytes.NewReader(c.body), parameters["boundary"]).ReadForm(maxBody)
	if err != nil {
		return nil, bad(messageDecoding)
	}
	return form.File["files"], nil
}

func fileContent(file *multipart.FileHeader) ([]byte, error) {
	opened, err := file.Open()
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(opened)
	if closeErr := opened.Close(); err == nil {
		err = closeErr
	}
	return body, err
}

func (s *Server) storeImage(c *call, name, kind string, body []byte) imageBody {
	path := "/images/" + s.state.Organization.ID + "/" + s.newID() + imageTypes[kind]
	s.files[path] = storedFile{body, kind}
	s.state.Knowledge.Images = append(s.state.Knowledge.Images, File{
		Path: path, PrettyName: name, ContentType: kind, Bytes: int64(len(body)),
	})
	return imageBody{name, c.origin + "/files" + path}
}
