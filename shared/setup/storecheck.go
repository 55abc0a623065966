package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// CheckStore opens the configured store and looks whether it is as this program needs it: the table and its index, the
// server's settings, the file's checksums. It makes nothing and changes no record. The text says what was looked at.
func (c *Config) CheckStore(ctx context.Context, getenv func(string) string) (looked string, err error) {
	if c.Store.Kind == "embedded" {
		if looked, err := c.checkFile(); looked != "" || err != nil {
			return looked, err
		}
	}
	w := &Wired{}
	clouds := &clouds{getenv: getenv}
	store, err := c.openStore(w, &vault{getenv: getenv, remotes: clouds.secrets()}, clouds, time.Now)
	if err != nil {
		return "", err
	}
	defer func() {
		for _, closer := range w.closers {
			err = errors.Join(err, closer())
		}
	}()
	if checked, ok := store.(interface{ Check(context.Context) error }); ok {
		if err := checked.Check(ctx); err != nil {
			return "", err
		}
	}
	// A read shows what a look at the settings cannot: that the store answers, and what lies there can be read.
	for _, a := range c.Apps {
		if _, err := store.Load(ctx, submsg.HealthKey(a.AppID)); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("the %s store answers and is sound", c.Store.Kind), nil
}

// checkFile looks at the embedded store's file as far as that can be done without making it.
func (c *Config) checkFile() (looked string, err error) {
	path := c.Store.Path
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is no file", path)
	case err == nil:
		return "", nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	// Its directory is made with it, but not that one's parents.
	above := filepath.Dir(filepath.Dir(path))
	if info, err := os.Stat(above); err != nil || !info.IsDir() {
		return "", fmt.Errorf("%s cannot be made: there is no directory %s", path, above)
	}
	return fmt.Sprintf("%s is not there yet; the first start makes it", path), nil
}
