-- Paths in these tables are relative to the workspace and written with forward slashes.
CREATE TABLE projects (
  id           TEXT PRIMARY KEY,
  name         TEXT NOT NULL,
  status       TEXT NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'rendering', 'complete', 'failed')),
  created_at   TEXT NOT NULL DEFAULT (datetime('now')),
  completed_at TEXT
);

CREATE TABLE scenes (
  id           TEXT PRIMARY KEY,
  project_id   TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  scene_number INTEGER NOT NULL,
  text         TEXT,
  UNIQUE (project_id, scene_number)
);

CREATE TABLE audio_files (
  id         TEXT PRIMARY KEY,
  project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  scene_id   TEXT REFERENCES scenes (id) ON DELETE CASCADE,
  file_path  TEXT NOT NULL,
  duration   REAL
);

CREATE TABLE visual_suggestions (
  id                   TEXT PRIMARY KEY,
  scene_id             TEXT NOT NULL REFERENCES scenes (id) ON DELETE CASCADE,
  provider             TEXT,
  video_id             TEXT,
  default_segment_path TEXT
);

CREATE TABLE rendered_videos (
  id             TEXT PRIMARY KEY,
  project_id     TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  file_path      TEXT NOT NULL,
  thumbnail_path TEXT,
  file_size      INTEGER
);

CREATE TABLE user_preferences (
  id                   TEXT PRIMARY KEY DEFAULT 'default',
  auto_cleanup_enabled INTEGER -- overrides AUTO_CLEANUP_ENABLED; NULL leaves it to the environment
);
