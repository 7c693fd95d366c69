// serve is the service that bench/run has orders posted to: it takes 5 ms for each.
package main

import (
	"context"
	"io"
	"net/http"

	"troupe/bench/peers/judge"
)

func main() {
	judge.Main(map[string]func(context.Context) error{"orders": func(ctx context.Context) error {
		book := judge.OpenLogbook()
		return judge.Serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if body, err := io.ReadAll(r.Body); err == nil {
				judge.Work(body, book)
			}
			w.WriteHeader(http.StatusNoContent)
		}))
	}})
}
