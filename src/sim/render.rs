//! Text and Markdown of messages and cards, as HTML that is safe to put into a page.

use std::collections::HashMap;

use pulldown_cmark::{Event, Options, Parser, Tag, html};

/// Renders the Markdown that DingTalk knows. `media` turns a media id into a URL on this server.
pub(super) fn markdown(source: &str, media: &HashMap<String, String>) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let events = Parser::new_ext(source, options).map(|event| match event {
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            let dest_url = media.get(dest_url.as_ref()).map_or(dest_url, |url| url.clone().into());
            Event::Start(Tag::Image { link_type, dest_url, title, id })
        }
        other => other,
    });
    let mut rendered = String::with_capacity(source.len() * 2);
    html::push_html(&mut rendered, events);
    sanitise(&rendered)
}

/// Escapes plain text and keeps its line breaks.
pub(super) fn plain(text: &str) -> String {
    ammonia::clean_text(text).replace("&#10;", "<br>").replace('\n', "<br>")
}

fn sanitise(html: &str) -> String {
    ammonia::Builder::default()
        .add_tags(["font"])
        .add_tag_attributes("font", ["color"])
        // Markdown says the alignment of a column this way, and only this way.
        .add_tag_attribute_values(
            "td",
            "style",
            ["text-align: left", "text-align: center", "text-align: right"],
        )
        .add_tag_attribute_values(
            "th",
            "style",
            ["text-align: left", "text-align: center", "text-align: right"],
        )
        .add_tag_attribute_values("a", "target", ["_blank"])
        .set_tag_attribute_value("a", "target", "_blank")
        .link_rel(Some("noopener noreferrer nofollow"))
        .clean(html)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_is_rendered_and_scripts_do_not_survive() {
        let source = "**bold** <script>alert(1)</script><img src=x onerror=alert(1)> [x](javascript:alert(1))";
        let html = markdown(source, &HashMap::new());
        assert!(html.contains("<strong>bold</strong>"), "{html}");
        assert!(!html.contains("script"), "{html}");
        assert!(!html.contains("onerror"), "{html}");
    }

    #[test]
    fn a_media_id_becomes_a_picture_on_this_server() {
        let media = HashMap::from([("@lAD1".to_owned(), "/sim/files/1?key=k".to_owned())]);
        assert!(markdown("![chart](@lAD1)", &media).contains("src=\"/sim/files/1?key=k\""));
    }

    #[test]
    fn plain_text_keeps_its_lines_and_loses_its_tags() {
        assert_eq!(plain("a <b>\nc"), "a&#32;&lt;b&gt;<br>c");
    }
}
