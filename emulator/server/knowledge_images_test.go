package server_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

// pixel begins like a PNG.
const pixel = "\x89PNG\r\n\x1a\npixel"

type file struct{ name, kind, body string }

type uploaded struct {
	Data          []struct{ OriginalFilename, URL string }
	PartialErrors []struct {
		OriginalFilename, Message string
		Code                      int
	}
}

// form returns a multipart form with a field of files.
func form(t *testing.T, field string, files ...file) (contentType string, body []byte) {
	t.Helper()
	var buffer bytes.Buffer
	writer := multipart.NewWriter(&buffer)
	for _, f := range files {
		header := textproto.MIMEHeader{}
		header.Set("Content-Disposition", fmt.Sprintf(`form-data; name=%q; filename=%q`, field, f.name))
		if f.kind != "" {
			header.Set("Content-Type", f.kind)
		}
		part, err := writer.CreatePart(header)
		require.NoError(t, err)
		_, err = io.WriteString(part, f.body)
		require.NoError(t, err)
	}
	require.NoError(t, writer.Close())
	return writer.FormDataContentType(), buffer.Bytes()
}

// upload uploads images, which must be answered with the given status.
func (d *dixa) upload(status int, files ...file) (got uploaded) {
	d.t.Helper()
	contentType, body := form(d.t, "files", files...)
	reply := d.uploadForm(status, contentType, body)
	if status == http.StatusOK {
		decode(d.t, reply.body, &got)
	}
	return got
}

func (d *dixa) uploadForm(status int, contentType string, body []byte) answer {
	d.t.Helper()
	const path = "/v1/knowledge/articles/attachments"
	request := httptest.NewRequestWithContext(d.t.Context(), http.MethodPost, d.url+path, bytes.NewReader(body))
	request.Header.Set("Authorization", d.token)
	request.Header.Set("Content-Type", contentType)
	recorder := httptest.NewRecorder() // a connection may break before a long body was sent
	d.ServeHTTP(recorder, request)
	got := answer{d.t, recorder.Code, recorder.Header(), recorder.Body.Bytes()}
	require.Equal(d.t, status, got.status, string(got.body))
	if d.contract != nil && status != http.StatusRequestEntityTooLarge {
		d.hold(http.MethodPost, path, body, got)
	}
	return got
}

func TestImagesAreUploaded(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	got := d.upload(http.StatusOK,
		file{"logo.png", "image/png", pixel}, file{"note.txt", "text/plain", pixel}, file{"big.webp", "image/webp", strings.Repeat("x", 4<<20+1)},
		file{"a.jpg", "image/jpeg; q=1", "x"}, file{"none", "", "x"},
	)
	require.Len(t, got.Data, 2)
	require.Equal(t, "logo.png", got.Data[0].OriginalFilename)
	require.Regexp(t, `/files/images/.*\.jpg$`, got.Data[1].URL)
	problems := []string{}
	for _, problem := range got.PartialErrors {
		problems = append(problems, fmt.Sprint(problem.OriginalFilename, " ", problem.Code, " ", problem.Message))
	}
	require.Equal(t, []string{
		"note.txt 400 Unsupported MIME type 'text/plain'. Allowed: image/gif, image/jpeg, image/png, image/webp",
		"big.webp 400 File exceeds 4 MB size limit",
		"none 400 Unsupported MIME type 'application/octet-stream'. Allowed: image/gif, image/jpeg, image/png, image/webp",
	}, problems)

	d.token = "" // the URL is public
	image, err := d.send(http.MethodGet, strings.TrimPrefix(got.Data[0].URL, d.url), nil)
	require.NoError(t, err)
	require.Equal(t, pixel, string(image.body))
	require.Equal(t, "image/png", image.header.Get("Content-Type"))
	require.Equal(t, "logo.png", d.State().Knowledge.Images[0].PrettyName)
	d.Reset()
	require.Empty(t, d.State().Knowledge.Images)
	image, err = d.send(http.MethodGet, strings.TrimPrefix(got.Data[0].URL, d.url), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, image.status)
}

func TestUploadRefusals(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	png := file{"a.png", "image/png", pixel}
	contentType, body := form(t, "files", png)
	other, otherBody := form(t, "images", png)
	for name, tt := range map[string]struct {
		contentType string
		body        []byte
	}{
		"JSON":                   {"application/json", []byte(`{"files":[]}`)},
		"no type":                {"", body},
		"no boundary":            {"multipart/form-data", body},
		"another boundary":       {"multipart/form-data; boundary=x", body},
		"the end is missing":     {contentType, body[:len(body)-8]},
		"no body":                {contentType, nil},
		"files in another field": {other, otherBody},
	} {
		require.NotEmpty(t, d.uploadForm(http.StatusBadRequest, tt.contentType, tt.body).message(), name)
	}
	require.Empty(t, d.State().Knowledge.Images)
}

func TestUploadSwitches(t *testing.T) {
	t.Parallel()
	png := file{"a.png", "image/png", pixel}
	many := []file{png, png, png, png, png, png}
	sized := func(bytes int) file { return file{"b.png", "image/png", strings.Repeat("x", bytes)} }
	type set = server.KnowledgeSwitches
	for name, tt := range map[string]struct {
		switches       set
		files          []file
		status         int
		stored, failed int
	}{
		"six files":                 {set{}, many, 400, 0, 0},
		"six files, one fails":      {set{TooManyFiles: "partial"}, many, 200, 5, 1},
		"no files":                  {set{}, nil, 400, 0, 0},
		"no files are fine":         {set{NoFiles: "accepted"}, nil, 200, 0, 0},
		"type declared":             {set{}, []file{{"a", "image/png", "text"}}, 200, 1, 0},
		"type sniffed":              {set{FileTypes: "sniffed"}, []file{{"a", "image/png", "text"}, {"b", "text/plain", pixel}}, 200, 1, 1},
		"4 MB":                      {set{}, []file{sized(4 << 20)}, 200, 1, 0},
		"4 MB, decimal":             {set{Megabytes: "decimal"}, []file{sized(4 << 20), sized(4_000_000)}, 200, 1, 1},
		"10 MB, decimal":            {set{Megabytes: "decimal"}, []file{sized(4_000_000), sized(4_000_000), sized(2_000_000)}, 400, 0, 0},
		"10 MB":                     {set{}, []file{sized(4 << 20), sized(4 << 20), sized(2 << 20)}, 400, 0, 0},
		"10 MB, at the gateway":     {set{UploadTooLarge: "413"}, []file{sized(4 << 20), sized(4 << 20), sized(2 << 20)}, 413, 0, 0},
		"decimal, at the gateway":   {set{UploadTooLarge: "413", Megabytes: "decimal"}, []file{sized(4_000_000), sized(4_000_000), sized(2_000_000)}, 413, 0, 0},
		"all failed":                {set{}, []file{{"a", "text/plain", "x"}}, 200, 0, 1},
		"all failed, refused":       {set{AllFailed: "rejected"}, []file{{"a", "text/plain", "x"}}, 400, 0, 0},
		"one failed, never refused": {set{AllFailed: "rejected"}, []file{{"a", "text/plain", "x"}, png}, 200, 1, 1},
		"Dixa fails":                {set{FailedUploads: 1}, []file{png, png}, 200, 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := start(t, server.Options{Switches: server.Switches{Knowledge: tt.switches}})
			got := d.upload(tt.status, tt.files...)
			require.Len(t, got.Data, tt.stored)
			require.Len(t, got.PartialErrors, tt.failed)
			for _, problem := range got.PartialErrors {
				require.Equal(t, tt.switches.FailedUploads > 0, problem.Code == http.StatusInternalServerError)
			}
			require.Len(t, d.State().Knowledge.Images, tt.stored)
		})
	}
	require.Error(t, server.Switches{Knowledge: set{FailedUploads: 2}}.Validate())
}
