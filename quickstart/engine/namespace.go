package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// awaitNamespace returns once the frontend serves the namespace and every search
// attribute is searchable. It adds the attributes that the namespace lacks because
// an older program created it.
func awaitNamespace(ctx context.Context, options client.Options, attributes map[string]enumspb.IndexedValueType) error {
	c, err := client.NewLazyClient(options)
	if err != nil {
		return err
	}
	defer c.Close()

	if err := await(ctx, func(ctx context.Context) error {
		_, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: options.Namespace})
		return err
	}); err != nil {
		return err
	}

	missing, err := missingAttributes(ctx, c, options.Namespace, attributes)
	if err != nil || len(missing) == 0 {
		return err
	}
	if _, err := c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace:        options.Namespace,
		SearchAttributes: missing,
	}); err != nil {
		return fmt.Errorf("add search attributes %v: %w", slices.Sorted(maps.Keys(missing)), err)
	}
	for name := range missing {
		if err := await(ctx, func(ctx context.Context) error {
			_, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
				Namespace: options.Namespace,
				Query:     name + " IS NULL",
			})
			return err
		}); err != nil {
			return fmt.Errorf("search by the new attribute %s: %w", name, err)
		}
	}
	return nil
}

func missingAttributes(
	ctx context.Context, c client.Client, namespace string, wanted map[string]enumspb.IndexedValueType,
) (map[string]enumspb.IndexedValueType, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	known, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return nil, fmt.Errorf("list search attributes: %w", err)
	}
	missing := maps.Clone(wanted)
	for name, typ := range wanted {
		has, ok := known.GetCustomAttributes()[name]
		if !ok {
			continue
		}
		if has != typ {
			return nil, fmt.Errorf("search attribute %s has type %v in namespace %q but must have type %v: remove it or use another data file",
				name, has, namespace, typ)
		}
		delete(missing, name)
	}
	return missing, nil
}

// await calls try until it succeeds or ctx ends. Each attempt may take 5 s.
func await(ctx context.Context, try func(context.Context) error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := try(attempt)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-tick.C:
		}
	}
}
