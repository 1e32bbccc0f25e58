// Package kpi defines Claimflow's key figures and computes them.
//
// A [Definition] is a row of a table: what the figure means, its unit, which
// conversations or claims it covers, the date that places each in a period, and how
// the values of a period become one. A [Request] adds the period, time zone, buckets,
// grouping and filters. An [Evaluator] turns both into queries to a [Source] and
// aggregates the answers, so that every store gives the same figures.
//
// The package is pure: it does not use HTTP, SQL or Temporal.
package kpi
