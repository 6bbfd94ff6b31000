package fdstore

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/godbus/dbus/v5"
)

// JobType gives the type of the job that systemd is doing with our unit at this moment: "restart", "stop", "reload" and others, or "" when
// there is none. It takes two seconds at most.
func JobType(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return "", fmt.Errorf("job type: %w", err)
	}
	defer conn.Close()
	const systemd = "org.freedesktop.systemd1"
	var unit dbus.ObjectPath
	err = conn.Object(systemd, "/org/freedesktop/systemd1").
		CallWithContext(ctx, systemd+".Manager.GetUnitByPID", 0, uint32(os.Getpid())).Store(&unit)
	if err != nil {
		return "", fmt.Errorf("job type: %w", err)
	}
	var job struct {
		ID   uint32
		Path dbus.ObjectPath
	}
	if err := property(ctx, conn.Object(systemd, unit), systemd+".Unit", "Job", &job); err != nil || job.ID == 0 {
		return "", err
	}
	var typ string
	err = property(ctx, conn.Object(systemd, job.Path), systemd+".Job", "JobType", &typ)
	return typ, err
}

func property(ctx context.Context, o dbus.BusObject, iface, name string, to any) error {
	var v dbus.Variant
	if err := o.CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, iface, name).Store(&v); err != nil {
		return fmt.Errorf("job type: %s: %w", name, err)
	}
	if err := v.Store(to); err != nil {
		return fmt.Errorf("job type: %s: %w", name, err)
	}
	return nil
}
