package keylock_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/bucketsum/bucketsum/pipeline/keylock"
)

// The goroutines count under one key, so no increment is lost.
func ExampleLocks() {
	var (
		locks keylock.Locks[string]
		done  sync.WaitGroup
		count int
	)
	for range 100 {
		done.Go(func() {
			unlock, err := locks.Lock(context.Background(), "photos/a.jpg")
			if err != nil {
				return
			}
			defer unlock()
			count++
		})
	}
	done.Wait()
	fmt.Println(count)
	// Output: 100
}
