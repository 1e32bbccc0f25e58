package chart

import (
	"fmt"
	"math"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

// Locale formats numbers and dates in a language: English (en) or German (de). The zero
// value is English.
type Locale struct {
	language string
	printer  *message.Printer
}

// NewLocale returns the locale of a language.
func NewLocale(tag string) Locale {
	return Locale{language: tag, printer: message.NewPrinter(language.Make(tag))}
}

// Number formats a number, which is shorter the larger it is.
func (l Locale) Number(v float64) string {
	digits := 2
	switch size := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case size >= 1e7:
		return l.print(number.Scientific(v, number.MaxFractionDigits(2)))
	case size >= 100:
		digits = 0
	case size >= 10:
		digits = 1
	}
	if math.Abs(v) < math.Pow(10, -float64(digits))/2 {
		v = 0 // never -0
	}
	return l.print(number.Decimal(v, number.MaxFractionDigits(digits)))
}

func (l Locale) print(v any) string {
	if l.printer == nil {
		l = NewLocale("en")
	}
	return l.printer.Sprint(v)
}

// Day formats a date without its year.
func (l Locale) Day(t time.Time) string {
	if l.language == "de" {
		return fmt.Sprintf("%d.%d.", t.Day(), int(t.Month()))
	}
	return t.Format("2 Jan")
}

// Date formats a date.
func (l Locale) Date(t time.Time) string {
	if l.language == "de" {
		return t.Format("2.1.2006")
	}
	return t.Format("2 Jan 2006")
}

// Month formats a month with its year.
func (l Locale) Month(t time.Time) string {
	if l.language == "de" {
		return t.Format("1/2006")
	}
	return t.Format("Jan 2006")
}
