/*
 * The dashboard of Riddle Rush, with the seven kinds of widgets that its document lists, in the four sections of its architecture: performance metrics, leaderboards, user activity,
 * system health. It is the JSON that CloudWatch takes, as it stands: JSON() turns the tokens into one text, so nothing is escaped by hand.
 *
 * Metrics by name and by mode are found by SEARCH, since players bring their own names. The three queries are those of the document.
 */
#include "riddle_rush.h"

#define JSON(...) #__VA_ARGS__

static const char body[] = JSON({
    "start": "-PT3H",
    "periodOverride": "auto",
    "widgets": [
        {"type": "text", "x": 0, "y": 0, "width": 24, "height": 2, "properties": {"markdown": "## Performance metrics\nWhat clients measure (`logPerformance`), by name."}},
        {"type": "metric", "x": 0, "y": 2, "width": 12, "height": 6, "properties": {
            "title": "Performance Metrics: Average", "view": "timeSeries", "stacked": false, "region": "{region}",
            "metrics": [[{"expression": "SEARCH('{\"riddle-rush-{env}\"}', 'Average', 60)", "id": "average"}]],
            "yAxis": {"left": {"min": 0, "label": "ms", "showUnits": false}}}},
        {"type": "metric", "x": 12, "y": 2, "width": 12, "height": 6, "properties": {
            "title": "Performance Metrics: P99", "view": "timeSeries", "stacked": false, "region": "{region}",
            "metrics": [[{"expression": "SEARCH('{\"riddle-rush-{env}\"}', 'p99', 60)", "id": "p99"}]],
            "yAxis": {"left": {"min": 0, "label": "ms", "showUnits": false}}}},
        {"type": "log", "x": 0, "y": 8, "width": 24, "height": 6, "properties": {
            "title": "Top Performance Metrics", "view": "table", "region": "{region}",
            "query": "SOURCE '/aws/lambda/riddle-rush-ws-message-{env}'\n| fields @timestamp, metricName, duration\n| filter @message like /Performance logged/\n| stats avg(duration) as avg_duration by metricName\n| sort avg_duration desc\n| limit 20"}},

        {"type": "text", "x": 0, "y": 14, "width": 24, "height": 2, "properties": {"markdown": "## Leaderboards\nGames and scores (`updateLeaderboard`), by mode."}},
        {"type": "metric", "x": 0, "y": 16, "width": 12, "height": 6, "properties": {
            "title": "Game Scores by Mode", "view": "timeSeries", "stacked": false, "region": "{region}",
            "metrics": [[{"expression": "SEARCH('{\"riddle-rush-{env}\",GameMode} MetricName=\"GameScore\"', 'Average', 60)", "id": "scores"}]],
            "yAxis": {"left": {"min": 0}}}},
        {"type": "metric", "x": 12, "y": 16, "width": 12, "height": 6, "properties": {
            "title": "Games by Mode", "view": "timeSeries", "stacked": true, "region": "{region}",
            "metrics": [[{"expression": "SEARCH('{\"riddle-rush-{env}\",GameMode} MetricName=\"GameScore\"', 'SampleCount', 60)", "id": "games"}]],
            "yAxis": {"left": {"min": 0}}}},
        {"type": "log", "x": 0, "y": 22, "width": 24, "height": 6, "properties": {
            "title": "Leaderboard Activity", "view": "table", "region": "{region}",
            "query": "SOURCE '/aws/lambda/riddle-rush-ws-message-{env}'\n| fields @timestamp, gameMode, score\n| filter @message like /Leaderboard updated/\n| stats count() as games, max(score) as high_score by gameMode"}},

        {"type": "text", "x": 0, "y": 28, "width": 24, "height": 2, "properties": {"markdown": "## User activity\nConnections and their messages."}},
        {"type": "metric", "x": 0, "y": 30, "width": 6, "height": 6, "properties": {
            "title": "Connected now", "view": "singleValue", "sparkline": true, "region": "{region}", "stat": "Maximum",
            "metrics": [["Weir", "ActiveConnections", "ApiId", "riddle-rush", {"label": "connections"}]]}},
        {"type": "metric", "x": 6, "y": 30, "width": 9, "height": 6, "properties": {
            "title": "WebSocket Connections", "view": "timeSeries", "stacked": false, "region": "{region}", "stat": "Sum",
            "metrics": [
                ["AWS/ApiGateway", "ConnectCount", "ApiId", "riddle-rush", {"label": "connects"}],
                ["Weir", "ActiveConnections", ".", ".", {"label": "open", "stat": "Maximum"}],
                [".", "ConnectionErrors", ".", ".", {"label": "lost or refused", "color": "#d62728"}]],
            "yAxis": {"left": {"min": 0}}}},
        {"type": "metric", "x": 15, "y": 30, "width": 9, "height": 6, "properties": {
            "title": "API Gateway: messages and errors", "view": "timeSeries", "stacked": false, "region": "{region}", "stat": "Sum",
            "metrics": [
                ["AWS/ApiGateway", "MessageCount", "ApiId", "riddle-rush", {"label": "messages in"}],
                ["Weir", "MessagesOut", ".", ".", {"label": "messages out"}],
                ["AWS/ApiGateway", "ClientError", ".", ".", {"yAxis": "right"}],
                [".", "IntegrationError", ".", ".", {"yAxis": "right"}],
                [".", "ExecutionError", ".", ".", {"yAxis": "right", "color": "#d62728"}]],
            "yAxis": {"left": {"min": 0}, "right": {"min": 0}}}},

        {"type": "text", "x": 0, "y": 36, "width": 24, "height": 2, "properties": {"markdown": "## System health\nHandlers, tables, alarms and errors."}},
        {"type": "metric", "x": 0, "y": 38, "width": 8, "height": 6, "properties": {
            "title": "Lambda: invocations and errors", "view": "timeSeries", "stacked": false, "region": "{region}", "stat": "Sum",
            "metrics": [
                ["AWS/Lambda", "Invocations", "FunctionName", "riddle-rush-ws-connect-{env}"],
                ["...", "riddle-rush-ws-message-{env}"],
                ["...", "riddle-rush-ws-disconnect-{env}"],
                [".", "Errors", ".", "riddle-rush-ws-connect-{env}", {"yAxis": "right"}],
                ["...", "riddle-rush-ws-message-{env}", {"yAxis": "right"}],
                ["...", "riddle-rush-ws-disconnect-{env}", {"yAxis": "right"}]],
            "yAxis": {"left": {"min": 0}, "right": {"min": 0}}}},
        {"type": "metric", "x": 8, "y": 38, "width": 8, "height": 6, "properties": {
            "title": "Lambda: duration", "view": "timeSeries", "stacked": false, "region": "{region}", "stat": "Average",
            "metrics": [
                ["AWS/Lambda", "Duration", "FunctionName", "riddle-rush-ws-connect-{env}"],
                ["...", "riddle-rush-ws-message-{env}"],
                ["...", "riddle-rush-ws-disconnect-{env}"],
                ["...", "riddle-rush-ws-message-{env}", {"stat": "p99"}]],
            "annotations": {"horizontal": [{"label": "alarm", "value": 5000, "visible": false}]},
            "yAxis": {"left": {"min": 0, "label": "ms", "showUnits": false}}}},
        {"type": "metric", "x": 16, "y": 38, "width": 8, "height": 6, "properties": {
            "title": "API Gateway: latency", "view": "timeSeries", "stacked": false, "region": "{region}", "stat": "Average",
            "metrics": [
                ["AWS/ApiGateway", "IntegrationLatency", "ApiId", "riddle-rush"],
                ["...", {"stat": "p99"}]],
            "yAxis": {"left": {"min": 0, "label": "ms", "showUnits": false}}}},
        {"type": "metric", "x": 0, "y": 44, "width": 12, "height": 6, "properties": {
            "title": "DynamoDB: capacity", "view": "timeSeries", "stacked": true, "region": "{region}", "stat": "Sum",
            "metrics": [
                ["AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", "riddle-rush-users-{env}"],
                ["...", "riddle-rush-leaderboard-{env}"],
                ["...", "riddle-rush-performance-{env}"],
                ["...", "riddle-rush-ws-connections-{env}"],
                [".", "ConsumedReadCapacityUnits", ".", "riddle-rush-users-{env}"],
                ["...", "riddle-rush-leaderboard-{env}"],
                ["...", "riddle-rush-performance-{env}"]],
            "yAxis": {"left": {"min": 0}}}},
        {"type": "metric", "x": 12, "y": 44, "width": 12, "height": 6, "properties": {
            "title": "DynamoDB: items and errors", "view": "timeSeries", "stacked": false, "region": "{region}", "stat": "Maximum",
            "metrics": [
                ["AWS/DynamoDB", "ItemCount", "TableName", "riddle-rush-users-{env}"],
                ["...", "riddle-rush-leaderboard-{env}"],
                ["...", "riddle-rush-performance-{env}"],
                [{"expression": "SUM(SEARCH('{AWS/DynamoDB,TableName} MetricName=\"ThrottledRequests\" riddle-rush', 'Sum', 60))", "id": "throttled", "label": "throttled", "yAxis": "right"}],
                [{"expression": "SUM(SEARCH('{AWS/DynamoDB,TableName} MetricName=\"SystemErrors\" riddle-rush', 'Sum', 60))", "id": "broken", "label": "system errors", "yAxis": "right"}]],
            "yAxis": {"left": {"min": 0}, "right": {"min": 0}}}},
        {"type": "alarm", "x": 0, "y": 50, "width": 12, "height": 6, "properties": {
            "title": "Alarms", "alarms": [
                "arn:aws:cloudwatch:{region}:{account}:alarm:riddle-rush-ws-message-errors-{env}",
                "arn:aws:cloudwatch:{region}:{account}:alarm:riddle-rush-ws-connect-errors-{env}",
                "arn:aws:cloudwatch:{region}:{account}:alarm:riddle-rush-ws-disconnect-errors-{env}",
                "arn:aws:cloudwatch:{region}:{account}:alarm:riddle-rush-ws-message-duration-{env}",
                "arn:aws:cloudwatch:{region}:{account}:alarm:riddle-rush-ws-connect-duration-{env}",
                "arn:aws:cloudwatch:{region}:{account}:alarm:riddle-rush-ws-disconnect-duration-{env}",
                "arn:aws:cloudwatch:{region}:{account}:alarm:riddle-rush-users-throttles-{env}",
                "arn:aws:cloudwatch:{region}:{account}:alarm:riddle-rush-leaderboard-throttles-{env}",
                "arn:aws:cloudwatch:{region}:{account}:alarm:riddle-rush-performance-throttles-{env}",
                "arn:aws:cloudwatch:{region}:{account}:alarm:riddle-rush-ws-connections-throttles-{env}"]}},
        {"type": "log", "x": 12, "y": 50, "width": 12, "height": 6, "properties": {
            "title": "Error Tracking", "view": "table", "region": "{region}",
            "query": "SOURCE '/aws/lambda/riddle-rush-ws-message-{env}'\n| fields @timestamp, @message\n| filter @message like /ERROR/\n| stats count() as error_count by bin(5m)"}}
    ]
});

const struct weir_dashboard rr_dashboards[] = {{"riddle-rush-dashboard-{env}", body}, {0}};
