package main

import (
	"bytes"
	"embed"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/claim"
)

// demoShop is the shop that the quickstart connects.
const demoShop = "demo-shop"

//go:embed samples/*.json
var sampleFiles embed.FS

// sample is one of the claims that the quickstart submits.
type sample struct {
	ref  claim.Ref
	body []byte
}

// samples returns the demo's claims in the order of their files, with the address of
// the photos filled in.
func samples(photos string) ([]sample, error) {
	names, err := sampleFiles.ReadDir("samples")
	if err != nil {
		return nil, fmt.Errorf("list the sample claims: %w", err)
	}
	var out []sample
	for _, n := range names {
		data, err := sampleFiles.ReadFile(path.Join("samples", n.Name()))
		if err != nil {
			return nil, fmt.Errorf("read sample claim %s: %w", n.Name(), err)
		}
		body := bytes.ReplaceAll(data, []byte("{{photos}}"), []byte(photos))
		c, err := claim.Decode(body, demoShop)
		if err != nil {
			return nil, fmt.Errorf("sample claim %s: %w", n.Name(), err)
		}
		out = append(out, sample{ref: claim.Ref{Shop: c.Shop, ID: c.ID}, body: body})
	}
	return out, nil
}

// photoNames are the pictures that the demo's customers took. A sample claim names
// one more, which does not exist.
var photoNames = []string{
	"mug-front.jpg", "mug-inside.jpg", "plate.jpg", "box.jpg", "signature.png", "lamp.jpg", "chair.jpg",
}

// servePhotos serves the pictures: plain images, each in its own color.
func servePhotos(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if !slices.Contains(photoNames, name) {
		http.NotFound(w, r)
		return
	}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(name)) // a hash never fails
	h := sum.Sum32()
	img := image.NewRGBA(image.Rect(0, 0, 320, 240))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.RGBA{R: byte(h), G: byte(h >> 8), B: byte(h >> 16), A: 255}), image.Point{}, draw.Src)
	var out bytes.Buffer
	var err error
	if strings.HasSuffix(name, ".png") {
		err = png.Encode(&out, img)
	} else {
		err = jpeg.Encode(&out, img, nil)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(out.Bytes()) // the reader may have disconnected
}
