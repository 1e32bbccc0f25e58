package api

import (
	"encoding/json"
	"io"
	"net/http"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/unified"
)

// maxMappingRequest bounds the body of a request that saves a mapping.
const maxMappingRequest = 1 << 20

// serveMappings answers /integrated-account/{id}/mappings and …/{field}: the categories
// that an account gives to Dixa's values. field is empty for all fields.
func (a *api) serveMappings(w http.ResponseWriter, r *http.Request, c *caller, id, field string) error {
	read := func() error {
		if err := a.admitMapping(w, r, c, id, client.ScopeUnifiedRead); err != nil {
			return err
		}
		if field != "" {
			return writeMapping(w)(a.Unified.Mapping(r.Context(), id, field))
		}
		all := client.MappingList{Mappings: []client.FieldMapping{}}
		for _, name := range unified.MappedFields() {
			m, err := a.Unified.Mapping(r.Context(), id, name)
			if err != nil {
				return err
			}
			all.Mappings = append(all.Mappings, mappingOf(m))
		}
		return writeUnified(w, all)
	}
	if field == "" {
		return only(w, r, map[string]func() error{http.MethodGet: read})
	}
	return only(w, r, map[string]func() error{
		http.MethodGet: read,
		http.MethodPut: func() error {
			if err := a.admitMapping(w, r, c, id, client.ScopeUnifiedWrite); err != nil {
				return err
			}
			var in client.NewMapping
			text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMappingRequest))
			if err != nil || json.Unmarshal(text, &in) != nil || in.Mapping == nil {
				return unified.NewError(http.StatusBadRequest, `The request's body must be JSON, such as {"mapping": {"<value>": "<category>"}}.`)
			}
			m, err := a.Unified.SaveMapping(r.Context(), id, field, in.Mapping)
			if err == nil {
				a.auditMapping(r, c, "save-mapping", id, field)
			}
			return writeMapping(w)(m, err)
		},
		http.MethodDelete: func() error {
			if err := a.admitMapping(w, r, c, id, client.ScopeUnifiedWrite); err != nil {
				return err
			}
			if err := a.Unified.DeleteMapping(r.Context(), id, field); err != nil {
				return err
			}
			a.auditMapping(r, c, "delete-mapping", id, field)
			return writeUnified(w, map[string]string{"id": field})
		},
	})
}

// admitMapping reports whether the caller may read or write the mappings of an account.
func (a *api) admitMapping(w http.ResponseWriter, r *http.Request, c *caller, id, scope string) error {
	if a.Unified == nil {
		return unified.NewError(http.StatusServiceUnavailable, "The unified API is not available.")
	}
	_, err := a.admitAccount(w, r, c, id, scope)
	return err
}

func (a *api) auditMapping(r *http.Request, c *caller, action, id, field string) {
	a.audit(r.Context(), claim.AuditEntry{Actor: c.key.Name, Action: action, Shop: c.key.Shop, Target: id, Details: map[string]string{"field": field}})
}

func writeMapping(w http.ResponseWriter) func(*unify.FieldMapping, error) error {
	return func(m *unify.FieldMapping, err error) error {
		if err != nil {
			return err
		}
		return writeUnified(w, mappingOf(m))
	}
}

func mappingOf(m *unify.FieldMapping) client.FieldMapping {
	out := client.FieldMapping{Field: m.Field, Account: m.Account, Mapping: m.Mapping, Values: []client.MappedValue{}, Unmapped: []client.MappedValue{}}
	for _, v := range m.Values {
		out.Values = append(out.Values, client.MappedValue(v))
	}
	for _, v := range m.Unmapped {
		out.Unmapped = append(out.Unmapped, client.MappedValue(v))
	}
	return out
}
