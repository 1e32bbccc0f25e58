package server

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// fillSpan is the default length of the period that Fill spreads conversations over.
const fillSpan = 365 * 24 * time.Hour

// fillProgress is the number of conversations between two calls of
// FillOptions.Progress.
const fillProgress = 1000

// FillOptions configure Fill.
type FillOptions struct {
	// Conversations is the number of conversations to make.
	Conversations int
	// Seed determines the content. Two new servers that are filled with the same
	// options, including Until, hold the same.
	Seed uint64
	// Until is the end of the period in which everything happens. Defaults to now on
	// the server's clock.
	Until time.Time
	// Span is the length of the period. Defaults to 365 days.
	Span time.Duration
	// Progress, if set, is called now and then with the number of conversations made
	// so far. It must not call the server.
	Progress func(done int)
}

// Fill adds the history of a shop: agents, queues, tags, customers, and conversations
// spread over a period, with their messages, activity log, ratings and the rest. All
// steps go through the code that serves the API, so the switches apply to them, except
// that no webhooks are delivered. If ctx ends first, the conversations made so far stay.
func (s *Server) Fill(ctx context.Context, options FillOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	until := options.Until
	if until.IsZero() {
		until = s.clock()
	}
	until = until.UTC().Truncate(time.Millisecond)
	span := cmp.Or(options.Span, fillSpan)
	if options.Conversations < 0 || span < 0 {
		return fmt.Errorf("fill the emulator: the number of conversations and the span must not be negative, got %d and %s", options.Conversations, span)
	}
	defer func(off bool) { s.switches.Webhooks.Off = off }(s.switches.Webhooks.Off)
	s.switches.Webhooks.Off = true
	defer s.sortActivity()

	f := &filling{s: s, random: newChance(options.Seed), since: until.Add(-span), until: until}
	f.organize()
	defer f.deactivateTags()
	for i, at := range f.arrivals(options.Conversations) {
		if i%fillProgress == 0 {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("fill the emulator: stopped after %d of %d conversations: %w", i, options.Conversations, err)
			}
			if options.Progress != nil && i > 0 {
				options.Progress(i)
			}
		}
		f.converse(at)
	}
	return nil
}

// sortActivity puts the activity log in the order of time. The caller holds s.mu.
func (s *Server) sortActivity() {
	slices.SortStableFunc(s.state.Activity, func(a, b *Activity) int { return a.At.Compare(b.At) })
	s.reindex()
}

// filling is one run of Fill.
type filling struct {
	s            *Server
	random       *rand.Rand
	since, until time.Time

	mailbox, returns, phone ContactEndpoint
	shifts                  map[string]shift // by agent
	queues                  map[string]*Queue
	customers               []patron
	mediaWeights            [2][]float64 // outside and within opening hours
	topicWeights            []float64
}

// chance reports true with the given probability.
func (f *filling) chance(probability float64) bool { return f.random.Float64() < probability }

// either returns one of the items.
func either[T any](f *filling, items []T) T { return items[f.random.IntN(len(items))] }

// weighted returns the index of one of the weights with a probability in proportion to
// it.
func (f *filling) weighted(weights []float64) int {
	sum := 0.0
	for _, weight := range weights {
		sum += weight
	}
	at := f.random.Float64() * sum
	for i, weight := range weights {
		if at -= weight; at < 0 {
			return i
		}
	}
	return len(weights) - 1
}

// period is a range of durations.
type period struct{ least, most time.Duration }

// within returns a duration within the period. Short ones are more frequent.
func (f *filling) within(p period) time.Duration {
	stretch := math.Pow(float64(p.most)/float64(p.least), f.random.Float64())
	return time.Duration(float64(p.least) * stretch).Truncate(time.Millisecond)
}

// Weights of the arrivals: few at night and on weekends, many before Christmas.
var (
	hourWeights = [24]float64{
		0.08, 0.05, 0.04, 0.04, 0.05, 0.1, 0.25, 0.5, 0.8, 1, 1, 0.95,
		0.85, 0.9, 0.95, 0.9, 0.8, 0.65, 0.6, 0.65, 0.6, 0.45, 0.3, 0.15,
	}
	dayWeights   = [7]float64{0.5, 1, 0.95, 0.9, 0.9, 0.85, 0.5} // from Sunday
	monthWeights = [12]float64{0.9, 0.65, 0.65, 0.65, 0.7, 0.65, 0.6, 0.65, 0.7, 0.75, 0.95, 1}
)

// arrivals returns the times at which the conversations start, in order.
func (f *filling) arrivals(count int) []time.Time {
	times := make([]time.Time, count)
	span := f.until.Sub(f.since)
	for i := range times {
		for {
			at := f.since.Add(time.Duration(f.random.Float64() * float64(span))).Truncate(time.Millisecond)
			if f.chance(hourWeights[at.Hour()] * dayWeights[at.Weekday()] * monthWeights[at.Month()-1]) {
				times[i] = at
				break
			}
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// shift is when an agent works every week, in UTC.
type shift struct {
	days     [7]bool // from Sunday
	from, to int     // hours
}

var (
	weekdays = [7]bool{false, true, true, true, true, true, false}
	late     = [7]bool{true, false, false, true, true, true, true}
	shifts   = []shift{{weekdays, 7, 15}, {weekdays, 8, 16}, {weekdays, 12, 20}, {late, 9, 17}, {late, 13, 21}}
)

// next returns the first time from t on within the shift.
func (w shift) next(t time.Time) time.Time {
	for day := t.Truncate(24 * time.Hour); ; day = day.Add(24 * time.Hour) {
		start := day.Add(time.Duration(w.from) * time.Hour)
		if !w.days[day.Weekday()] || !t.Before(day.Add(time.Duration(w.to)*time.Hour)) {
			continue
		}
		if t.After(start) {
			return t
		}
		return start
	}
}
