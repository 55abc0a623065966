// Package infra holds no program. Its tests read what would be deployed, as the deployment tools generate it, and fail on what
// must not be: a permission wider than needed, a table that differs from what the store expects, an alarm that tells
// nobody what to do.
package infra
