// Package metrics shows what the daemon counts to Prometheus. Nothing is counted
// here: values are read where they are when somebody asks. docs/metrics.md has
// the table.
package metrics
