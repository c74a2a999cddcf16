from pathlib import Path

from piccolo.conf.apps import AppConfig, table_finder

APP_CONFIG = AppConfig(
    app_name="parley",
    migrations_folder_path=Path(__file__).resolve().parent.parent / "piccolo_migrations",
    table_classes=table_finder(modules=["tables"]),
)
