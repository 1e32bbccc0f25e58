package claim

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"
)

var (
	identifierPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`)
	slugPattern       = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	amountPattern     = regexp.MustCompile(`^-?\d{1,12}(\.\d{1,6})?$`)
)

var structValidator = sync.OnceValue(func() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			return ""
		}
		return name
	})
	register := func(name string, holds validator.Func) {
		if err := v.RegisterValidation(name, holds); err != nil {
			panic(err) // only for an empty name or a nil function
		}
	}
	for name, pattern := range map[string]*regexp.Regexp{
		"identifier": identifierPattern, "slug": slugPattern, "amount": amountPattern,
	} {
		register(name, func(fl validator.FieldLevel) bool { return pattern.MatchString(fl.Field().String()) })
	}
	// Unlike min and max, these take durations in human-readable form.
	register("shortest", func(fl validator.FieldLevel) bool { return fl.Field().Int() >= lengthOf(fl) })
	register("longest", func(fl validator.FieldLevel) bool { return fl.Field().Int() <= lengthOf(fl) })
	return v
})

// lengthOf returns the limit that a tag sets for a [Duration].
func lengthOf(fl validator.FieldLevel) int64 {
	var d Duration
	if err := d.UnmarshalText([]byte(fl.Param())); err != nil {
		panic(fmt.Sprintf("claim: invalid limit in the validation rule of %s: %q %v", fl.FieldName(), fl.Param(), err))
	}
	return int64(d)
}

// IsIdentifier reports whether s is a valid claim id.
func IsIdentifier(s string) bool { return identifierPattern.MatchString(s) }

// IsSlug reports whether s is a valid shop slug.
func IsSlug(s string) bool { return slugPattern.MatchString(s) }

// IsText reports whether s is valid UTF-8 without zero bytes, so that every database
// accepts it.
func IsText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// maxForeignID limits external ids, in bytes. Dixa's ids have 36.
const maxForeignID = 200

// IsID reports whether an external id can be used as a key: text of 1 to 200 bytes,
// so that every index accepts it.
func IsID(s string) bool { return s != "" && len(s) <= maxForeignID && IsText(s) }

// Validate checks a claim that was built instead of decoded. The error is an
// [*InvalidError] that lists every error by JSON name.
func (c *Claim) Validate() error {
	if fieldErrors := c.fieldErrors(false); len(fieldErrors) > 0 {
		return &InvalidError{What: "claim", Errors: fieldErrors}
	}
	return nil
}

// fieldErrors lists the claim's errors, with paths of the flat form or of the envelope.
func (c *Claim) fieldErrors(envelope bool) []FieldError {
	fieldErrors := ValidateStruct(c)
	if !envelope {
		return fieldErrors
	}
	for i, f := range fieldErrors {
		head, _, _ := strings.Cut(f.Field, ".")
		head, _, _ = strings.Cut(head, "[")
		switch head {
		case "shop_slug":
		case "customer", "order", "shipments":
			fieldErrors[i].Field = "context." + f.Field
		default:
			fieldErrors[i].Field = "event_data." + f.Field
		}
	}
	return fieldErrors
}

// dropKnown drops the errors of fields that already have one or lie in a field that
// has: a member of the wrong type is not also "missing".
func dropKnown(fieldErrors, known []FieldError) []FieldError {
	return slices.DeleteFunc(fieldErrors, func(f FieldError) bool {
		return slices.ContainsFunc(known, func(k FieldError) bool {
			rest, in := strings.CutPrefix(f.Field, k.Field)
			return in && (rest == "" || rest[0] == '.' || rest[0] == '[')
		})
	})
}

// ValidateStruct validates a struct by its `validate` tags and lists every error by JSON
// path, in words. It works for claims, settings and requests.
func ValidateStruct(v any) []FieldError {
	err := structValidator().Struct(v)
	if err == nil {
		return nil
	}
	var fields validator.ValidationErrors
	if !errors.As(err, &fields) {
		return []FieldError{{Field: "body", Problem: "cannot be validated: " + err.Error()}}
	}
	fieldErrors := make([]FieldError, len(fields))
	for i, f := range fields {
		_, path, _ := strings.Cut(f.Namespace(), ".")
		fieldErrors[i] = FieldError{Field: path, Problem: fieldErrorMessage(f)}
	}
	return fieldErrors
}

func fieldErrorMessage(f validator.FieldError) string {
	switch f.Tag() {
	case "required":
		return "is required"
	case "required_without":
		return "is required if " + jsonWord(f.Param()) + " is missing"
	case "required_if", "required_with":
		return "is required with the other values"
	case "email":
		return "must be an email address"
	case "url", "http_url":
		return "must be an http or https URL"
	case "uuid":
		return "must be a UUID"
	case "iso4217":
		return "must be a currency code such as EUR"
	case "bcp47_language_tag":
		return "must be a language such as en or de-CH"
	case "iso3166_1_alpha2":
		return "must be a country such as DE"
	case "amount":
		return "must be an amount such as 19.90"
	case "identifier":
		return "must contain only letters, digits, . _ : and -, start with a letter or digit, and have at most 128 characters"
	case "slug":
		return "must contain only lowercase letters, digits, - and _, start with a letter or digit, and have at most 63 characters"
	case "oneof":
		return "must be one of " + strings.Join(strings.Fields(f.Param()), ", ")
	case "shortest":
		return "must be at least " + f.Param()
	case "longest":
		return "must be at most " + f.Param()
	case "min", "max", "gte", "lte":
		return bound(f)
	default:
		return fmt.Sprintf("must satisfy %q", strings.TrimSuffix(f.Tag()+"="+f.Param(), "="))
	}
}

func bound(f validator.FieldError) string {
	least := f.Tag() == "min" || f.Tag() == "gte"
	side := "at most"
	if least {
		side = "at least"
	}
	switch f.Kind() {
	case reflect.String:
		return fmt.Sprintf("must have %s %s characters", side, f.Param())
	case reflect.Slice, reflect.Map:
		return fmt.Sprintf("must have %s %s entries", side, f.Param())
	default:
		return fmt.Sprintf("must be %s %s", side, f.Param())
	}
}

// jsonWord converts the Go names in validator tags to JSON names.
func jsonWord(goName string) string { return strings.ToLower(goName) }
