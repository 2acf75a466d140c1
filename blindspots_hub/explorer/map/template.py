"""The markup of the concept map; static, so that no update ever replaces its canvas."""

from __future__ import annotations

TEMPLATE = """
<div class="concept-map" style="--map-height: HEIGHTpx">
  <div class="stage">
    <canvas class="points" tabindex="0" role="application" aria-roledescription="concept map"
      aria-label="Map of concepts. Arrow keys walk to the nearest concept, Enter opens it, Escape
      closes it, plus and minus zoom, zero shows all, slash searches."></canvas>
    <canvas class="overlay" aria-hidden="true"></canvas>
    <div class="count" aria-live="polite"></div>
    <div class="zoom">
      <button type="button" data-zoom="in" aria-label="Zoom in" title="Zoom in (+)">+</button>
      <button type="button" data-zoom="out" aria-label="Zoom out" title="Zoom out (−)">−</button>
      <button type="button" data-zoom="all" aria-label="Show all"
        title="Show all (0, double click)">
        <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true">
          <path d="M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4" fill="none" stroke="currentColor"
            stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"/>
        </svg>
      </button>
    </div>
    <div class="hint" aria-hidden="true"></div>
    <img class="paper" alt="Map of concepts">
    <div class="tip" hidden>
      <img class="tip-image" alt="" hidden>
      <div class="tip-words">
        <div class="tip-name"></div>
        <div class="tip-value"></div>
        <div class="tip-state"></div>
        <div class="tip-caption"></div>
      </div>
    </div>
    <div class="loading"><span>Loading the map…</span></div>
    <div class="fault" role="alert" hidden><p></p><button type="button">Try again</button></div>
    <div class="spoken" aria-live="polite"></div>
  </div>
  <div class="legend">
    <div class="legend-scale" role="img"
      aria-label="Colour is δ: blue, below 0.1, is suppressed; orange, above 0.9, is exaggerated">
      <span class="end suppressed"
        title="Drawn less than in the natural images of the same captions">▼ suppressed</span>
      <span class="bar">
        <i></i>
        <b style="left: 0">0</b>
        <b style="left: 10%">0.1</b>
        <b style="left: 90%">0.9</b>
        <b style="left: 100%">1</b>
      </span>
      <span class="end exaggerated"
        title="Drawn more than in the natural images of the same captions">exaggerated ▲</span>
    </div>
    <span class="rare" title="Dead, or seen in too few images for a judgement">
      <i></i>not judged
    </span>
    <span class="files">
      <button type="button" data-file="png" title="What is in sight as a picture">PNG</button>
      <button type="button" data-file="svg" title="What is in sight as a drawing">SVG</button>
    </span>
    <span class="hints">
      drag to move · ctrl + wheel to zoom · shift-drag to select · <kbd>/</kbd> to search
    </span>
  </div>
</div>
"""
"""`HEIGHT` stands for the map's height in CSS pixels."""
