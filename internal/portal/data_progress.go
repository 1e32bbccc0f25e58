package portal

import (
	"math"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/claimflow/claimflow/claim"
)

// importView is an import with its progress in words.
type importView struct {
	claim.Import
	// Finished are the windows that are done or parked.
	Finished int
	// Rows, Rate and Left are the rows read, their rate and the time left, in words. Rate
	// and Left are empty if they are unknown.
	Rows, Rate, Left string
}

// Runs reports whether the import has not ended.
func (i *importView) Runs() bool {
	return i.State == claim.ImportRunning || i.State == claim.ImportPaused
}

// Percent returns how much of the import is finished.
func (i *importView) Percent() int {
	if i.WindowsTotal == 0 {
		return 0
	}
	return 100 * i.Finished / i.WindowsTotal
}

func (v *visit) viewOf(i claim.Import) importView {
	seen := importView{Import: i, Finished: i.WindowsDone + i.WindowsParked, Rows: v.words.number(i.Read)}
	if i.State == claim.ImportRunning {
		if i.RowsPerSecond >= 0.05 {
			seen.Rate = v.words.say("import.rate", v.words.decimal(i.RowsPerSecond))
		}
		if i.SecondsLeft > 0 {
			seen.Left = v.words.roughly(time.Duration(i.SecondsLeft) * time.Second)
		}
	}
	return seen
}

// printer writes numbers as people in the language do.
func (w words) printer() *message.Printer { return message.NewPrinter(language.Make(w.language)) }

func (w words) number(n int) string { return w.printer().Sprint(n) }

func (w words) decimal(x float64) string {
	if x >= 10 {
		return w.number(int(math.Round(x)))
	}
	return w.printer().Sprintf("%.1f", x)
}

// roughly returns a time that is left, in words.
func (w words) roughly(d time.Duration) string {
	switch minutes := int(math.Ceil(d.Minutes())); {
	case minutes <= 1:
		return w.say("left.minute")
	case minutes < 120:
		return w.say("left.minutes", minutes)
	default:
		return w.say("left.hours", int(math.Ceil(d.Hours())))
	}
}
