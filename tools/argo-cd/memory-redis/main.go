// Command memory-redis answers the part of the Redis protocol that Argo CD's cache uses and keeps everything in
// memory, so that the local cluster needs no Redis.
//
//	memory-redis ADDRESS:PORT
package main

import (
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"
)

const second = time.Second

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("memory-redis: name the address to listen on, for example 127.0.0.1:6379")
	}
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr(os.Args[1]); err != nil {
		log.Fatalf("memory-redis: %v", err)
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	for tick := time.NewTicker(second); ; {
		select {
		case <-tick.C:
			// Its clock stands still by itself: without this, no cached revision would ever expire.
			server.FastForward(second)
		case <-ended:
			server.Close()
			return
		}
	}
}
