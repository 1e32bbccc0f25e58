package portal

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlacesInAddresses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]place{
		"0.":        {tile: 0, position: -1},
		"3.12":      {tile: 3, position: 12},
		"3.12.":     {tile: 3, position: 12, grouped: true},
		"1..a.b <>": {tile: 1, position: -1, group: "a.b <>", grouped: true},
	} {
		have, ok := placeOf(text)
		require.True(t, ok, text)
		require.Equal(t, want, have, text)
		require.Equal(t, text, have.String())
	}
	for _, text := range []string{"", ".", "x", "1.x", "1.2x.3"} {
		_, ok := placeOf(text)
		require.False(t, ok, text)
	}
}

func FuzzPlace(f *testing.F) {
	f.Add("3.12.queue")
	f.Add("1..")
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := placeOf(text)
		if !ok {
			return
		}
		again, ok := placeOf(p.String())
		require.True(t, ok)
		if p.position < 0 {
			p.position = -1
		}
		require.Equal(t, p, again)
	})
}
