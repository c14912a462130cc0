package s3

import (
	"log/slog"

	"github.com/gofiber/fiber/v3"
)

// logRequests writes a line per request: failures of ours as warnings, everything
// else for debugging. Query strings, which hold signatures where an address is
// presigned, are left out.
//
// versitygw's own hook for this, s3log.AuditLogger, is given the body of every
// request that is refused for overload, read into memory for the purpose.
func logRequests(log *slog.Logger) fiber.Handler {
	return func(c fiber.Ctx) error {
		err := c.Next()
		status, level := c.Response().StatusCode(), slog.LevelDebug
		if status >= 500 || err != nil {
			level = slog.LevelWarn
		}
		if log.Enabled(c.Context(), level) {
			log.LogAttrs(c.Context(), level, "s3 request",
				slog.String("method", c.Method()),
				slog.String("path", string([]byte(c.Path()))), // c's buffers are used again
				slog.Int("status", status),
				slog.String("client", c.RequestCtx().RemoteAddr().String()),
				slog.Any("error", err))
		}
		return err
	}
}
