package unify

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/unified"
)

const (
	// maxMapped bounds the values of a mapping, and maxCategory the bytes of a category.
	maxMapped   = 1000
	maxCategory = 200
)

// MappedValue is a value of Dixa with its category.
type MappedValue struct {
	Value string
	// Name is the value's name in Dixa; nil if Dixa no longer has the value.
	Name     *string
	Category *string
}

// FieldMapping is the mapping of a field of an account.
type FieldMapping struct {
	Field   string
	Account string
	// Mapping has the category of each mapped value.
	Mapping map[string]string
	// Values are the mapped values, and Unmapped those that Dixa has beside them.
	Values   []MappedValue
	Unmapped []MappedValue
}

// mapping reads what categories the objects of a resource have.
func (s *Service) mapping(ctx context.Context, account, resource string) (unified.Mapping, error) {
	if resource != "tickets" && !slices.Contains(unified.MappedFields(), resource) {
		return nil, nil
	}
	return s.Store.Mappings.All(ctx, account)
}

// Mapping reads the mapping of a field, with the values that Dixa has. The error is an
// [*unified.Error], for a field that cannot be mapped.
func (s *Service) Mapping(ctx context.Context, account, field string) (*FieldMapping, error) {
	if err := mappable(field); err != nil {
		return nil, err
	}
	all, err := s.Store.Mappings.All(ctx, account)
	if err != nil {
		return nil, err
	}
	out := &FieldMapping{Field: field, Account: account, Mapping: all[field], Values: []MappedValue{}, Unmapped: []MappedValue{}}
	if out.Mapping == nil {
		out.Mapping = map[string]string{}
	}
	names, err := s.valuesOf(ctx, account, field)
	if err != nil {
		s.Clients.ConfirmRefusal(ctx, account, err)
		return nil, errorOf(err)
	}
	for _, value := range slices.Sorted(maps.Keys(out.Mapping)) {
		category := out.Mapping[value]
		out.Values = append(out.Values, MappedValue{value, names[value], &category})
	}
	for _, value := range slices.Sorted(maps.Keys(names)) {
		if _, ok := out.Mapping[value]; !ok {
			out.Unmapped = append(out.Unmapped, MappedValue{value, names[value], nil})
		}
	}
	return out, nil
}

// valuesOf returns the values of a field that Dixa has, with their names.
func (s *Service) valuesOf(ctx context.Context, account, field string) (map[string]*string, error) {
	read, r, err := s.prepare(account, unified.ModelTicketing, field, unified.MethodList, "limit=500")
	if err != nil {
		return nil, err
	}
	names := map[string]*string{}
	for cursor := ""; ; {
		page, _, err := read.list(ctx, r, cursor)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Items {
			names[o.Key()] = unified.NameOf(o)
		}
		if cursor = page.Next; cursor == "" {
			return names, nil
		}
	}
}

func mappable(field string) error {
	if slices.Contains(unified.MappedFields(), field) {
		return nil
	}
	return unified.NewError(http.StatusNotFound, "There is no such field. Fields with mappings are "+strings.Join(unified.MappedFields(), ", ")+".")
}

// DeleteMapping removes all categories of a field. The error is as for [Service.Mapping].
func (s *Service) DeleteMapping(ctx context.Context, account, field string) error {
	if err := mappable(field); err != nil {
		return err
	}
	return s.Store.Mappings.Replace(ctx, account, field, nil)
}

// SaveMapping replaces the mapping of a field. The error is an
// [*unified.Error] that names everything that is wrong. Values that Dixa does not have are
// kept: Dixa may know more than it lists.
func (s *Service) SaveMapping(ctx context.Context, account, field string, mapping map[string]string) (*FieldMapping, error) {
	if err := mappable(field); err != nil {
		return nil, err
	}
	var faults []unified.Failure
	if len(mapping) > maxMapped {
		faults = append(faults, unified.Failure{Field: "mapping", Message: fmt.Sprintf("must have at most %d values", maxMapped)})
	}
	for _, value := range slices.Sorted(maps.Keys(mapping)) {
		switch category := mapping[value]; {
		case value == "":
			faults = append(faults, unified.Failure{Field: "mapping", Message: "must not have an empty value"})
		case strings.TrimSpace(category) == "":
			faults = append(faults, unified.Failure{Field: "mapping." + value, Message: "must be a category. Leave out values without one"})
		case len(category) > maxCategory:
			faults = append(faults, unified.Failure{Field: "mapping." + value, Message: fmt.Sprintf("must have at most %d bytes", maxCategory)})
		}
	}
	if len(faults) > 0 {
		e := unified.NewError(http.StatusBadRequest, "The mapping is not valid. Nothing was saved.")
		e.Details = &unified.Failures{Failures: faults}
		return nil, e
	}
	if err := s.Store.Mappings.Replace(ctx, account, field, mapping); err != nil {
		return nil, err
	}
	return s.Mapping(ctx, account, field)
}
