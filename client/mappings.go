package client

import (
	"context"
	"net/http"
)

// MappedValue is a value of Dixa, such as a queue, with the caller's category.
type MappedValue struct {
	Value string `json:"value" doc:"The id in Dixa."`
	// Name is nil if Dixa does not list the value.
	Name     *string `json:"name" doc:"The name in Dixa; null if Dixa does not list the value."`
	Category *string `json:"category" doc:"The caller's category; null if the value is not mapped."`
}

// FieldMapping is the mapping of a field of an account: collections, ticket_types or
// ticket_status.
type FieldMapping struct {
	Field   string `json:"field" enum:"collections,ticket_status,ticket_types"`
	Account string `json:"integrated_account_id"`
	// Mapping has the category of each mapped value.
	Mapping map[string]string `json:"mapping" doc:"The category of each value."`
	// Values are the mapped values, and Unmapped those that Dixa has beside them.
	Values   []MappedValue `json:"values"`
	Unmapped []MappedValue `json:"unmapped" doc:"The values in Dixa that have no category. They are read and written by their ids."`
}

// MappingList has the mappings of all fields.
type MappingList struct {
	Mappings []FieldMapping `json:"result"`
}

// NewMapping replaces the mapping of a field.
type NewMapping struct {
	Mapping map[string]string `json:"mapping" doc:"The category of each value. Several values may have the same. Values that are left out have none."`
}

// Mapping returns the mapping of a field of an account.
func (c *Client) Mapping(ctx context.Context, account, field string) (FieldMapping, error) {
	return ask[FieldMapping](ctx, c, call{method: http.MethodGet, path: mappingPath(account, field)})
}

// SaveMapping replaces the mapping of a field of an account: categories by value.
func (c *Client) SaveMapping(ctx context.Context, account, field string, categories map[string]string) (FieldMapping, error) {
	return ask[FieldMapping](ctx, c, call{method: http.MethodPut, path: mappingPath(account, field), body: NewMapping{Mapping: categories}})
}

// DeleteMapping removes all categories of a field of an account.
func (c *Client) DeleteMapping(ctx context.Context, account, field string) error {
	_, err := c.send(ctx, call{method: http.MethodDelete, path: mappingPath(account, field)})
	return err
}

func mappingPath(account, field string) []string {
	return []string{"integrated-account", account, "mappings", field}
}
